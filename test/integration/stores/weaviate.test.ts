/** The Weaviate index against a real server: the common contract, and what only a server can do wrong. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openVectors } from '../../../src/stores/vectors/index.ts';
import { openWeaviate } from '../../../src/stores/vectors/weaviate.ts';
import { vectorIndexContract } from '../../stores/vectors/contract.ts';
import { DIMENSIONS, row } from '../../stores/vectors/rows.ts';
import { hasServer, startWeaviate } from '../../support/servers/index.ts';

describe.skipIf(!(await hasServer('weaviate')))('with a real server', () => {
  let server: Awaited<ReturnType<typeof startWeaviate>>;
  beforeAll(async () => {
    server = await startWeaviate();
  });
  afterAll(() => server.stop());

  const settings = () => ({
    dataDir: 'unused',
    WEAVIATE_URL: server.url,
    WEAVIATE_GRPC_PORT: server.grpcPort,
    WEAVIATE_API_KEY: undefined,
  });

  vectorIndexContract('weaviate', () => openVectors(settings(), { dimensions: DIMENSIONS, writable: true }));

  test('two processes may meet a missing collection at once, and later openings see the rows', async () => {
    const fresh = await startWeaviate();
    try {
      const open = () => openWeaviate({ url: fresh.url, grpcPort: fresh.grpcPort, dimensions: DIMENSIONS });
      const indexes = await Promise.all([open(), open(), open()]);
      await indexes[0]?.upsert([row('raced', 1)]);
      expect(await indexes[2]?.count()).toBe(1);
      for (const index of indexes) await index.close();
    } finally {
      await fresh.stop();
    }
  });

  test('refuses a collection of other dimensions and says how to rebuild', async () => {
    const opening = openVectors(settings(), { dimensions: 32, writable: true });
    await expect(opening).rejects.toMatchObject({ code: 'conflict' });
    await expect(opening).rejects.toThrow(/24 dimensions.*makes 32.*delete that collection/s);
  });

  test('says that the server is unreachable', async () => {
    const opening = openWeaviate({ url: 'http://127.0.0.1:9', grpcPort: 9, dimensions: DIMENSIONS });
    await expect(opening).rejects.toMatchObject({ code: 'unavailable' });
    await expect(opening).rejects.toThrow('127.0.0.1:9');
  });
});
