/** API and worker as they really run, over TLS with a private authority towards Postgres and towards Temporal: a file goes through both. */
import { chmodSync, chownSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPostgres } from '../../../src/local/postgres.ts';
import { type ApiProcess, type OurProcess, startApiProcess, startWorkerProcess } from '../../support/api-process.ts';
import { makeAuthority } from '../../support/authority.ts';
import { testCacheDir } from '../../support/servers/available.ts';
import { openTestFolder } from '../../support/servers/process.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

const KEY = 'the-admin-key-of-this-test-0123456789';
const authority = makeAuthority();
const stranger = makeAuthority('Somebody else');
const stand = openTestFolder('postgres-processes');
const sockets = new Set<Socket>();
let stack: TestStack;
let proxy: Server;
let clear: string;
let settings: Record<string, string>;
const running: OurProcess[] = [];

/** Temporal behind TLS that asks for a certificate of ours: what a cluster's frontend does. */
async function startProxy(to: string): Promise<Server> {
  const { cert, key } = authority.issue('temporal');
  const [host = '', port = ''] = to.split(':');
  const server = createServer(
    {
      cert: readFileSync(cert),
      key: readFileSync(key),
      ca: readFileSync(authority.ca),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
    },
    (secure) => {
      const plain = connectTcp(Number(port), host);
      for (const [one, other] of [
        [secure, plain],
        [plain, secure],
      ] as const) {
        sockets.add(one);
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
      }
      secure.pipe(plain).pipe(secure);
    },
  );
  // Clients that refuse us hang up in the middle of the handshake.
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function start<T extends OurProcess>(starting: Promise<T>): Promise<T> {
  const started = await starting;
  running.push(started);
  return started;
}

beforeAll(async () => {
  const server = authority.issue('postgres');
  // The server runs as nobody where the tests run as root, and wants its key for itself.
  chmodSync(server.key, 0o600);
  if (process.getuid?.() === 0) chownSync(server.key, 65_534, 65_534);
  const ssl = { ssl: 'on', ssl_cert_file: server.cert, ssl_key_file: server.key };
  const [postgres, made] = await Promise.all([
    startPostgres({
      dataDir: stand.folder,
      cacheDir: testCacheDir(),
      port: 0,
      supervisor: stand.supervisor,
      report: () => {},
      settings: { fsync: 'off', ...ssl },
    }),
    testStack(),
  ]);
  stack = made;
  clear = postgres.databaseUrl;
  proxy = await startProxy(stack.temporalAddress);
  const client = authority.issue('client');
  settings = {
    API_KEY: KEY,
    DATABASE_URL: `${clear}?sslmode=verify-full`,
    TEMPORAL_ADDRESS: `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    TEMPORAL_TLS: 'true',
    TEMPORAL_TLS_CERT: client.cert,
    TEMPORAL_TLS_KEY: client.key,
    TLS_CA: authority.ca,
  };
}, 60_000);
afterAll(async () => {
  await Promise.all(running.map((one) => one.end('SIGTERM')));
  for (const socket of sockets) socket.destroy();
  proxy?.close();
  await stand.stop();
  await stack?.close();
  authority.remove();
  stranger.remove();
});

/** What Postgres says of the connections of our processes. */
async function connections(): Promise<{ ssl: boolean; application_name: string; query: string }[]> {
  const client = new pg.Client({ connectionString: clear });
  await client.connect();
  const found = await client.query(
    `SELECT ssl, application_name, query FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE application_name LIKE 'ostinato-%'`,
  );
  await client.end();
  return found.rows;
}

it('a file is ingested by them, and heard of as it goes', async () => {
  const api: ApiProcess = await start(startApiProcess(stack, settings));
  await start(startWorkerProcess(stack, settings));
  const headers = { authorization: `Bearer ${KEY}` };
  const leave = new AbortController();
  const stream = await fetch(`${api.url}/api/v1/events`, { headers, signal: leave.signal });
  let heard = '';
  const listening = (async () => {
    for await (const chunk of stream.body ?? []) heard += Buffer.from(chunk).toString();
  })().catch(() => {});

  const form = new FormData();
  form.set('source_type', 'slack');
  form.set('file', new Blob([JSON.stringify([{ id: 'U0AAAAAAA', name: 'ada', real_name: 'Ada' }])]), 'users.json');
  const uploaded = await fetch(`${api.url}/api/v1/files`, { method: 'POST', headers, body: form });
  expect(uploaded.status).toBe(202);
  const { file_id } = (await uploaded.json()) as { file_id: string };
  const file = async () =>
    (await (await fetch(`${api.url}/api/v1/files/${file_id}`, { headers })).json()) as Record<string, unknown>;
  await expect.poll(async () => (await file()).status, { timeout: 30_000 }).toBe('completed');
  expect(await file()).toMatchObject({ total_records: 1, error_count: 0 });
  await expect.poll(() => heard).toContain('event: processing.completed');

  const held = await connections();
  expect(new Set(held.map(({ application_name }) => application_name))).toEqual(
    // The second is the one that listens; rows are copied in over the third's.
    new Set(['ostinato-api', 'ostinato-events', 'ostinato-worker']),
  );
  expect(held.filter(({ ssl }) => !ssl)).toEqual([]);
  expect(held.filter(({ query }) => /^listen /i.test(query))).not.toEqual([]);
  const health = await (await fetch(`${api.url}/health`, { headers })).json();
  expect(health.components).toMatchObject({
    postgres: { status: 'up' },
    temporal: { status: 'up' },
    worker: { status: 'up' },
  });
  leave.abort();
  await listening;
}, 60_000);

it('under another authority a process does not start on that Postgres, and does not believe that Temporal', async () => {
  const mistrusting = { ...settings, TLS_CA: stranger.ca };
  await expect(startApiProcess(stack, mistrusting)).rejects.toThrow(/certificate|SELF_SIGNED|UNABLE_TO/i);
  const api = await start(startApiProcess(stack, { ...mistrusting, DATABASE_URL: clear }));
  const answer = await fetch(`${api.url}/health`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({
    components: { postgres: { status: 'up' }, temporal: { status: 'down' } },
  });
}, 60_000);
