/** TLS towards a real Weaviate, HTTP and gRPC: its client takes no authority, so TLS_CA becomes the process's own. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../../src/schema/config.ts';
import type { VectorRow } from '../../../src/stores/contract.ts';
import { openVectors } from '../../../src/stores/vectors/index.ts';
import { makeAuthority } from '../../support/authority.ts';
import { hasServer, startWeaviate } from '../../support/servers/index.ts';

// gRPC reads it while it is loaded, and it would go before everything the process trusts.
vi.hoisted(() => delete process.env.GRPC_DEFAULT_SSL_ROOTS_FILE_PATH);

const authority = makeAuthority();
const stranger = makeAuthority('Somebody else');
afterAll(() => {
  authority.remove();
  stranger.remove();
});

describe.skipIf(!(await hasServer('weaviate')))('Weaviate', () => {
  let weaviate: Awaited<ReturnType<typeof startWeaviate>>;
  beforeAll(async () => {
    weaviate = await startWeaviate(authority.issue('weaviate'));
  });
  afterAll(() => weaviate?.stop());

  const open = (TLS_CA: string) =>
    openVectors(
      loadConfig({
        cwd: authority.folder,
        env: { WEAVIATE_URL: weaviate.url, WEAVIATE_GRPC_PORT: String(weaviate.grpcPort), TLS_CA },
      }),
      { dimensions: 8, writable: true },
    );

  it('is reached with its own authority, and refused under another', async () => {
    // It listens before it is ready.
    const reached = () => open(authority.ca).then((opened) => opened.close(), String);
    await expect.poll(reached, { timeout: 50_000, interval: 200 }).toBeUndefined();
    const vectors = await open(authority.ca);
    await vectors.ping();
    const row: VectorRow = {
      id: randomUUID(),
      vector: new Float32Array([1, 0, 0, 0, 0, 0, 0, 0]),
      owner: 'ada',
      source: 'slack',
      content_type: 'message',
      author: null,
      occurred_at: null,
      content_hash: 'aa',
    };
    await vectors.upsert([row]);
    expect(await vectors.search(row.vector, 1, {})).toMatchObject([{ id: row.id }]);
    await vectors.close();
    await expect(open(stranger.ca)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
