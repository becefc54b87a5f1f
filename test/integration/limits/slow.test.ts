/** Clients that take their time: they hold up nobody else, and not for ever. */
import { connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ApiEnv } from '../../../src/api/context.ts';
import { listen, type RunningServer } from '../../../src/api/server.ts';

const CRAWLERS = 300;
let server: RunningServer;

beforeAll(async () => {
  const app = new Hono<ApiEnv>();
  app.post('/echo', async (c) => c.json({ length: (await c.req.text()).length }));
  // Those that were cut off: nobody reads the answer.
  app.onError((_error, c) => c.body(null, 400));
  server = await listen(app, { port: 0, hostname: '127.0.0.1' });
});
afterAll(() => server.drain(0));

interface Crawler {
  socket: Socket;
  /** All that was answered, once the connection is closed. */
  closed: Promise<string>;
}

function send(text: string): Promise<Crawler> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: server.port, host: '127.0.0.1' });
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk));
    socket.once('error', reject);
    const closed = new Promise<string>((done) => socket.once('close', () => done(answer)));
    socket.once('connect', () => socket.write(text, () => resolve({ socket, closed })));
  });
}
const post = (body: string) => fetch(`http://127.0.0.1:${server.port}/echo`, { method: 'POST', body });
const HEAD = 'POST /echo HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: text/plain\r\n';

it('headers that do not come are answered 408 and the connection is closed', async () => {
  const { closed } = await send('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ');
  expect(await closed).toMatch(/^HTTP\/1\.1 408 [\s\S]*application\/problem\+json/);
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
