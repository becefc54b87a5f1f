/** TLS towards real servers under an authority of our own: each is reached with TLS_CA, and refused without it. */
import { chmodSync, chownSync } from 'node:fs';
import { NativeConnection } from '@temporalio/worker';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectTemporal, temporalConnectionOptions } from '../../../src/clients/temporal.ts';
import { startPostgres } from '../../../src/local/postgres.ts';
import { type Config, loadConfig } from '../../../src/schema/config.ts';
import { openCache } from '../../../src/stores/cache/index.ts';
import { openDatabase } from '../../../src/stores/database.ts';
import { openLimitStore } from '../../../src/stores/limits.ts';
import { migrate } from '../../../src/stores/migrate.ts';
import { openObjects } from '../../../src/stores/objects/index.ts';
import { collect } from '../../stores/objects/contract.ts';
import { makeAuthority } from '../../support/authority.ts';
import { testCacheDir } from '../../support/servers/available.ts';
import { hasServer, startRedis, startTemporalServer, startVersitygw } from '../../support/servers/index.ts';
import { openTestFolder } from '../../support/servers/process.ts';

const authority = makeAuthority();
const stranger = makeAuthority('Somebody else');
const server = authority.issue('server');
const misnamed = authority.issue('misnamed', 'DNS:elsewhere.example');
afterAll(() => {
  authority.remove();
  stranger.remove();
});

const trusting = { TLS_CA: authority.ca };
/** The right server with its right certificate, but for clients that trust somebody else. */
const mistrusting = { TLS_CA: stranger.ca };
const load = (env: Record<string, string>): Config =>
  loadConfig({ cwd: authority.folder, env: { DATA_DIR: authority.folder, ...env } });

describe('Postgres', () => {
  const stand = openTestFolder('postgres-tls');
  let url: string;
  beforeAll(async () => {
    // The server runs as nobody where the tests run as root, and wants its key for itself.
    chmodSync(server.key, 0o600);
    if (process.getuid?.() === 0) chownSync(server.key, 65_534, 65_534);
    const started = await startPostgres({
      dataDir: stand.folder,
      cacheDir: testCacheDir(),
      port: 0,
      supervisor: stand.supervisor,
      report: () => {},
      settings: { fsync: 'off', ssl: 'on', ssl_cert_file: server.cert, ssl_key_file: server.key },
    });
    url = started.databaseUrl;
  });
  afterAll(() => stand.stop());

  const inUse = async (config: Config): Promise<unknown> => {
    const database = openDatabase(config.DATABASE_URL ?? '', { max: 1 });
    try {
      const found = await sql<{ ssl: boolean; version: string }>`
        SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()`.execute(database.db);
      return found.rows[0];
    } finally {
      await database.close();
    }
  };

  it.each(['require', 'verify-ca', 'verify-full'])('is reached over checked TLS with sslmode=%s', async (mode) => {
    const config = load({ DATABASE_URL: `${url}?sslmode=${mode}`, ...trusting });
    expect(await inUse(config)).toMatchObject({ ssl: true, version: 'TLSv1.3' });
    expect(await migrate(config.DATABASE_URL ?? '')).toBeInstanceOf(Array);
  });

  it('is refused under another authority, and without one of our own', async () => {
    for (const env of [mistrusting, {}]) {
      const config = load({ DATABASE_URL: `${url}?sslmode=require`, ...env });
      await expect(inUse(config)).rejects.toThrow(/certificate/);
    }
  });

  it('is reached in clear where nothing asks for TLS', async () => {
    expect(await inUse(load({ DATABASE_URL: url, ...trusting }))).toMatchObject({ ssl: false });
  });
});

describe.skipIf(!(await hasServer('redis')))('Redis', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let misnamedRedis: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    chmodSync(server.key, 0o644);
    redis = await startRedis({ ...server, ca: authority.ca });
    misnamedRedis = await startRedis({ ...misnamed, ca: authority.ca });
  });
  afterAll(async () => {
    await redis.stop();
    await misnamedRedis.stop();
  });

  it('is reached with rediss: and TLS_CA, by the cache and by the limits', async () => {
    const config = load({ REDIS_URL: redis.url, ...trusting });
    const cache = openCache(config);
    await cache.ping();
    await cache.set('a', 'x', 60);
    expect(await cache.get('a')).toBe('x');
    await cache.close();
    const limits = openLimitStore(config, undefined as never);
    await expect.poll(() => limits.add('read:ada', 2).catch(String)).toMatchObject({ points: 2 });
    await limits.close();
  });

  it('is refused under another authority, without one, and under another name', async () => {
    for (const env of [
      { REDIS_URL: redis.url, ...mistrusting },
      { REDIS_URL: redis.url },
      { REDIS_URL: misnamedRedis.url, ...trusting },
    ]) {
      const cache = openCache(load(env));
      await expect(cache.ping()).rejects.toThrow(/certificate/i);
      await cache.close();
    }
  });
});

describe.skipIf(!(await hasServer('versitygw')))('S3', () => {
  let s3: Awaited<ReturnType<typeof startVersitygw>>;
  beforeAll(async () => {
    s3 = await startVersitygw(server);
  });
  afterAll(() => s3.stop());

  const open = (env: Record<string, string>) =>
    openObjects(
      load({
        S3_ENDPOINT: s3.url,
        S3_BUCKET: 'over-tls',
        AWS_ACCESS_KEY_ID: s3.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
        ...env,
      }),
    );

  it('is reached with an https endpoint and TLS_CA', async () => {
    const store = await open(trusting);
    await store.put('a/b', Buffer.from('over TLS'));
    expect(String(await collect(await store.get('a/b')))).toBe('over TLS');
    await store.close();
  });

  it('is refused under another authority, and without one', async () => {
    for (const env of [mistrusting, {}]) {
      const store = await open(env);
      await expect(store.put('a/b', Buffer.from('x'))).rejects.toThrow(/certificate|SELF_SIGNED|UNABLE_TO/i);
      await store.close();
    }
  });
});

const canTemporal = (await hasServer('temporal-server')) && (await hasServer('postgres'));
describe.skipIf(!canTemporal)('Temporal that asks its clients for a certificate', () => {
  const stand = openTestFolder('postgres-temporal');
  let temporal: Awaited<ReturnType<typeof startTemporalServer>>;
  beforeAll(async () => {
    const { databaseUrl } = await startPostgres({
      dataDir: stand.folder,
      cacheDir: testCacheDir(),
      port: 0,
      supervisor: stand.supervisor,
      report: () => {},
      settings: { fsync: 'off' },
    });
    temporal = await startTemporalServer(databaseUrl, { tls: { ca: authority.ca, ...server } });
  });
  afterAll(async () => {
    await temporal?.stop();
    await stand.stop();
  });

  const client = authority.issue('client');
  const foreign = stranger.issue('foreign');
  const pair = ({ cert, key }: { cert: string; key: string }) => ({ TEMPORAL_TLS_CERT: cert, TEMPORAL_TLS_KEY: key });

  async function namespaces(env: Record<string, string>): Promise<string[]> {
    const { client, close } = await connectTemporal(load({ TEMPORAL_ADDRESS: temporal.address, ...env }));
    try {
      const deadline = Date.now() + 4_000;
      const found = await client.connection.withDeadline(deadline, () => client.workflowService.listNamespaces({}));
      return found.namespaces.map((namespace) => namespace.namespaceInfo?.name ?? '');
    } finally {
      await close();
    }
  }

  it('is reached with TLS_CA and a client certificate', async () => {
    expect(await namespaces({ TEMPORAL_TLS: 'true', ...trusting, ...pair(client) })).toContain('temporal-system');
  });

  it('is reached by workers too', async () => {
    const config = load({ TEMPORAL_ADDRESS: temporal.address, ...trusting, ...pair(client) });
    const connection = await NativeConnection.connect(temporalConnectionOptions(config));
    await connection.close();
    const wrong = load({ TEMPORAL_ADDRESS: temporal.address, ...mistrusting, ...pair(client) });
    await expect(NativeConnection.connect(temporalConnectionOptions(wrong))).rejects.toThrow();
  });

  it('is refused under another authority, and refuses us without or with a foreign certificate', async () => {
    const refused = [
      { TEMPORAL_TLS: 'true', ...mistrusting, ...pair(client) },
      { TEMPORAL_TLS: 'true', ...pair(client) },
      { TEMPORAL_TLS: 'true', ...trusting },
      { TEMPORAL_TLS: 'true', ...trusting, ...pair(foreign) },
      {},
    ];
    // gRPC tries again and again: only its deadline ends a call that no connection can be had for.
    const ended = await Promise.allSettled(refused.map((env) => namespaces(env)));
    expect(ended.map(({ status }) => status)).toEqual(refused.map(() => 'rejected'));
  });
});
