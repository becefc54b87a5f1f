/** Clients that take their time: they hold up nobody else, and not for ever. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hono } from 'hono';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApi } from '../../../src/api/app.ts';
import type { ApiEnv } from '../../../src/api/context.ts';
import { listen, type RunningServer } from '../../../src/api/server.ts';
import { operations } from '../../../src/operations/index.ts';
import { folderStore } from '../../../src/stores/objects/folder.ts';
import { openHouse } from '../../fixtures/mcp/house.ts';
import { door, makeKey, openStand, type Stand } from '../api/stand.ts';

const CRAWLERS = 300;
let server: RunningServer;
/** The whole door, where a body may take a second. */
let api: RunningServer;
let stand: Stand;
let folder: string;
let auth: string;

beforeAll(async () => {
  const app = new Hono<ApiEnv>();
  app.post('/echo', async (c) => c.json({ length: (await c.req.text()).length }));
  // Those that were cut off: nobody reads the answer.
  app.onError((_error, c) => c.body(null, 400));
  server = await listen(app, { port: 0, hostname: '127.0.0.1' });
  folder = mkdtempSync(join(tmpdir(), 'slow-'));
  stand = await openStand({ objects: folderStore({ root: folder, bucket: 'slow' }) }, { BODY_TIMEOUT: '1' });
  auth = `authorization: Bearer ${(await makeKey(stand.deps, 'admin')).key}\r\n`;
  const mcp = openHouse({ bodySeconds: 1 }).door;
  api = await listen(createApi({ ...door(stand.deps), operations, mcp }), { port: 0, hostname: '127.0.0.1' });
});
afterAll(async () => {
  await server.drain(0);
  await api?.drain(0);
  await stand?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Crawler {
  socket: Socket;
  /** All that was answered, once the connection is closed. */
  closed: Promise<string>;
}

function send(text: string, to = server): Promise<Crawler> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: to.port, host: '127.0.0.1' });
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk));
    socket.once('error', reject);
    const closed = new Promise<string>((done) => socket.once('close', () => done(answer)));
    socket.once('connect', () => socket.write(text, () => resolve({ socket, closed })));
  });
}
const post = (body: string) => fetch(`http://127.0.0.1:${server.port}/echo`, { method: 'POST', body });
const HEAD = 'POST /echo HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: text/plain\r\n';

it('headers that do not come, or crawl, are answered 408 and the connection is closed', async () => {
  const silent = await send('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ');
  const crawling = await crawl('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ', 'a'.repeat(1_000), 100, server);
  for (const answer of [await silent.closed, crawling]) {
    expect(answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*application\/problem\+json/);
  }
}, 30_000);

it('bodies that crawl hold up nobody; what moves on is answered, and what does not ends with the server', async () => {
  const crawlers = await Promise.all(
    Array.from({ length: CRAWLERS }, () => send(`${HEAD}content-length: 10\r\n\r\nslow`)),
  );
  for (let n = 0; n < 20; n++) expect(await (await post('quick')).json()).toEqual({ length: 5 });

  const [first, ...others] = crawlers;
  first?.socket.write(' bytes');
  first?.socket.end();
  expect(await first?.closed).toContain('{"length":10}');

  await server.drain(100);
  expect(await Promise.all(others.map(({ closed }) => closed))).toEqual(others.map(() => ''));
}, 30_000);

/** Sends `head`, then `body` a byte at a time for as long as the other side listens; resolves with all that it said. */
async function crawl(head: string, body: string, everyMs: number, to = api): Promise<string> {
  const { socket, closed } = await send(head, to);
  let at = 0;
  const timer = setInterval(() => (at < body.length ? socket.write(body.charAt(at++)) : undefined), everyMs);
  socket.on('error', () => {});
  try {
    return await closed;
  } finally {
    clearInterval(timer);
  }
}

const JSON_TYPE = 'content-type: application/json\r\n';
const LONG = JSON.stringify({ type: 'analysis', payload: { text: 'x'.repeat(2_000) } });

it.concurrent.each([
  ['JSON', '/api/v1/tasks', JSON_TYPE, '', 'request_timeout'],
  ['JSON of no announced length', '/api/v1/tasks', JSON_TYPE, 'chunked', 'request_timeout'],
  ['what only claims to be an upload', '/api/v1/tasks', 'content-type: multipart/form-data; boundary=b\r\n', '', ''],
  ['a message', '/mcp', `${JSON_TYPE}accept: application/json, text/event-stream\r\n`, '', ''],
  ['a message of no announced length', '/mcp', `${JSON_TYPE}accept: application/json\r\n`, 'chunked', ''],
])(
  'a body that never stops crawling is answered 408 and cut: %s',
  async (_kind, path, type, coding, code) => {
    const length = coding === 'chunked' ? 'transfer-encoding: chunked\r\n' : `content-length: ${LONG.length}\r\n`;
    const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${auth}${type}${length}\r\n`;
    // At this pace the whole would take minutes.
    const answer = await crawl(head, coding === 'chunked' ? `${LONG.length.toString(16)}\r\n${LONG}` : LONG, 100);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain(code);
    expect(answer).toContain('BODY_TIMEOUT');
  },
  20_000,
);

it.concurrent('a body that nobody may send is not waited for', async () => {
  const head = `POST /api/v1/tasks HTTP/1.1\r\nhost: 127.0.0.1\r\n${JSON_TYPE}content-length: ${LONG.length}\r\n\r\n`;
  expect(await crawl(head, LONG, 100)).toMatch(/^HTTP\/1\.1 401 /);
}, 20_000);

it.concurrent('an upload may crawl for longer, as long as it moves', async () => {
  const part = (headers: string, text: string) =>
    `--b\r\ncontent-disposition: form-data; ${headers}\r\n\r\n${text}\r\n`;
  const fields = part('name="source_type"', 'slack');
  const form = `${fields}${part('name="file"; filename="a.json"', '[]')}--b--\r\n`;
  const type = 'content-type: multipart/form-data; boundary=b\r\nconnection: close\r\n';
  const head = `POST /api/v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\n${auth}${type}content-length: ${form.length}\r\n\r\n`;
  // Over two seconds, twice what others have.
  const answer = await crawl(head, form, Math.ceil(2_200 / form.length));
  expect(answer).toMatch(/^HTTP\/1\.1 202 /);
}, 20_000);
