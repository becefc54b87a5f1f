/** Calls to agents: how they are signed, what every kind of answer leads to, and that hostile ones are bounded. */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askHealth, askStatus, postTask, signWebhook, withdrawTask } from '../../src/clients/agent-calls.ts';
import { createEgress, type Egress } from '../../src/clients/egress.ts';
import type { Failure } from '../../src/schema/failures.ts';

const TASK = {
  task_id: 't-1',
  attempt: 2,
  type: 'processing' as const,
  payload: { parameters: { text: 'a b' } },
  timeout_seconds: 60,
  deadline: '2030-01-01T00:00:00.000Z',
  priority: 'high' as const,
  pipeline_id: null,
  stage: null,
  callbacks: { input: 'i', progress: 'p', complete: 'c', fail: 'f', logs: 'l' },
};
const KEY = createHash('sha256').update('osta_token').digest();

let server: Server;
let port: number;
let egress: Egress;
let seen: { request: IncomingMessage; body: string }[] = [];
const routes: Record<string, RequestListener> = {};

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({ request, body: Buffer.concat(chunks).toString() });
    routes[new URL(request.url ?? '', 'http://x').pathname]?.(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
  egress = createEgress({ allow: ['127.0.0.1'], maxBytes: 1e9, timeoutMs: 30_000 });
});
afterAll(async () => {
  await egress.close();
  server.closeAllConnections();
  server.close();
});

/** An endpoint that answers so. */
function answering(listener: RequestListener): string {
  const path = `/${Object.keys(routes).length}`;
  routes[path] = listener;
  return `http://127.0.0.1:${port}${path}`;
}
const saying = (status: number, body: string | Buffer = '', headers: Record<string, string> = {}) =>
  answering((_request, response) => response.writeHead(status, headers).end(body));
const target = (url: string) => ({ url, keys: [KEY], headers: { authorization: 'Bearer mine' } });
const post = (url: string, timeoutMs = 5_000, by = egress) => postTask(by, target(url), TASK, { timeoutMs });

describe('signing', () => {
  test('gives the signature of the specification for its own example', () => {
    const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
    const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1614265330, body: '{"test": 2432232314}' };
    expect(signWebhook([key], message)['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  test('covers the body that is sent, under task and attempt, once for each key', async () => {
    seen = [];
    const url = saying(202);
    await postTask(egress, { url, keys: [Buffer.alloc(32), KEY], headers: {} }, TASK, { timeoutMs: 5_000 });
    const [{ request, body } = { request: { headers: {} } as IncomingMessage, body: '' }] = seen;
    expect(JSON.parse(body)).toEqual(TASK);
    expect(request.headers['webhook-id']).toBe('t-1/2');
    const at = Number(request.headers['webhook-timestamp']);
    expect(Math.abs(at - Date.now() / 1000)).toBeLessThan(30);
    const wanted = createHmac('sha256', KEY).update(`t-1/2.${at}.${body}`).digest('base64');
    expect(String(request.headers['webhook-signature']).split(' ')[1]).toBe(`v1,${wanted}`);
  });

  test('the credential of the owner goes along', async () => {
    seen = [];
    await post(saying(202));
    expect(seen[0]?.request.headers.authorization).toBe('Bearer mine');
  });
});

describe('answers to a task', () => {
  test.each([
    ['an object', '{"rows": 3}', { rows: 3 }],
    ['a list', '[1, 2]', { value: [1, 2] }],
    ['a word', '"done"', { value: 'done' }],
    ['null', 'null', {}],
    ['nothing', '', {}],
  ])('200 with %s', async (_name, body, result) => {
    expect(await post(saying(200, body))).toEqual({ status: 200, result });
  });

  test('202, whatever it says', async () => {
    expect(await post(saying(202, 'ok then'))).toEqual({ status: 202 });
  });

  test.each([
    [200, '<html>', 'agent_failed', /no JSON/],
    [204, '', 'agent_failed', /answered 204/],
    [201, '{}', 'agent_failed', /answered 201/],
    [400, '{"detail": "no such table"}', 'agent_failed', /answered 400: no such table/],
    [404, 'not here', 'agent_failed', /answered 404$/],
    [409, '{"error": {"message": "taken"}}', 'agent_failed', /answered 409: taken/],
    [422, '{"message": "bad\\n\\u0000 input"}', 'agent_failed', /answered 422: bad {2}input/],
    [422, `{"message": "${'x'.repeat(2_000)}"}`, 'agent_failed', /x{499}…$/],
    [408, '', 'agent_unreachable', /answered 408/],
    [429, '', 'agent_unreachable', /answered 429/],
    [425, '', 'agent_unreachable', /answered 425/],
    [500, '{"detail": "broken"}', 'agent_failed', /answered 500: broken/],
    [501, '', 'agent_failed', /answered 501/],
    [502, '', 'agent_unreachable', /answered 502/],
    [503, '{"detail": "starting"}', 'agent_unreachable', /answered 503: starting/],
    [504, '', 'agent_unreachable', /answered 504/],
    [505, '', 'agent_failed', /answered 505/],
    [507, '', 'agent_failed', /answered 507/],
  ])('%d %s: %s', async (status, body, code, message) => {
    const refused = post(saying(status, body));
    await expect(refused).rejects.toMatchObject({ code });
    await expect(refused).rejects.toThrow(message);
  });

  test('"not now" says how long, in seconds or by a date; "no" does not', async () => {
    const pauseOf = (status: number, pause: string) =>
      post(saying(status, '', { 'retry-after': pause })).then(
        () => null,
        (error: Failure) => error.retryAfterSeconds,
      );
    expect(await pauseOf(503, '7')).toBe(7);
    expect(await pauseOf(429, new Date(Date.now() + 60_000).toUTCString())).toBeGreaterThan(50);
    expect(await pauseOf(429, new Date(0).toUTCString())).toBe(0);
    expect(await pauseOf(503, 'soon')).toBeUndefined();
    expect(await pauseOf(500, '7')).toBeUndefined();
  });

  test('a redirect leads nowhere', async () => {
    seen = [];
    for (const location of ['/elsewhere', 'http://other.invalid/', 'http://169.254.169.254/']) {
      const redirected = post(saying(307, '', { location }));
      await expect(redirected).rejects.toThrow(/redirects/);
      await expect(redirected).rejects.toMatchObject({
        code: expect.stringMatching(/^(agent_failed|egress_denied)$/),
      });
    }
    expect(seen).toHaveLength(3);
  });
});

describe('hostile or broken agents', () => {
  const gone = { code: 'agent_unreachable' };

  test('nobody listens', async () => {
    await expect(post('http://127.0.0.1:9/')).rejects.toMatchObject(gone);
  });

  test('never answers, or answers a byte at a time', async () => {
    await expect(
      post(
        answering(() => undefined),
        200,
      ),
    ).rejects.toMatchObject(gone);
    const dripping = answering((_request, response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    await expect(post(dripping, 300)).rejects.toThrow(/took too long/);
  });

  test('sends too much, announced or not', async () => {
    // It has answered, and would again: no other try costs nothing.
    await expect(post(saying(200, Buffer.alloc(10_000_000, ' ')))).rejects.toMatchObject({ code: 'agent_failed' });
    let written = 0;
    const endless = answering((_request, response) => {
      const more = (): void => {
        written += 65_536;
        if (!response.destroyed) response.write(Buffer.alloc(65_536), () => more());
      };
      more();
    });
    const tooMuch = post(endless);
    await expect(tooMuch).rejects.toThrow(/more than 1048576 bytes/);
    await expect(tooMuch).rejects.toMatchObject({ code: 'agent_failed' });
    expect(written).toBeLessThan(32_000_000);
  });

  test('hangs up in the middle', async () => {
    const broken = answering((request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"half"', () => request.socket.destroy());
    });
    await expect(post(broken)).rejects.toMatchObject(gone);
  });

  test('is somewhere that may not be called, also when its name moved there since', async () => {
    const closed = createEgress({ allow: [], maxBytes: 1e6, timeoutMs: 1_000 });
    seen = [];
    await expect(post(saying(200, '{}'), 1_000, closed)).rejects.toMatchObject({ code: 'egress_denied' });
    let asked = 0;
    const rebinding: LookupFunction = (_host, _options, callback) =>
      callback(null, [{ address: asked++ === 0 ? '93.184.216.34' : '127.0.0.1', family: 4 }]);
    const moved = createEgress({ allow: [], maxBytes: 1e6, timeoutMs: 1_000, lookup: rebinding });
    await moved.check(`http://agent.test:${port}/`);
    await expect(post(`http://agent.test:${port}/`, 1_000, moved)).rejects.toMatchObject({ code: 'egress_denied' });
    expect(seen).toEqual([]);
  });

  test('an answer nobody waits for any more is given up', async () => {
    const signal = AbortSignal.timeout(50);
    const waiting = postTask(egress, target(answering(() => undefined)), TASK, { timeoutMs: 5_000, signal });
    await expect(waiting).rejects.toMatchObject({ code: 'agent_unreachable' });
    const stopped = AbortSignal.abort(new Error('not wanted any more'));
    const never = postTask(egress, target(saying(200)), TASK, { timeoutMs: 5_000, signal: stopped });
    await expect(never).rejects.toThrow('not wanted any more');
  });
});

describe('status', () => {
  const ask = (url: string) => askStatus(egress, target(url), { task_id: 't/1', attempt: 2 });
  const none = { progress: null, result: {}, error: null };

  test.each([
    ['{"status": "running", "progress": 0.4}', { ...none, status: 'running', progress: 0.4 }],
    ['{"state": "IN_PROGRESS", "progress": 7}', { ...none, status: 'running', progress: 1 }],
    ['{"status": "done", "result": {"rows": 1}}', { ...none, status: 'completed', result: { rows: 1 } }],
    ['{"status": "success", "result": [1]}', { ...none, status: 'completed', result: { value: [1] } }],
    ['{"status": "error", "error": {"message": "no"}}', { ...none, status: 'failed', error: 'no' }],
    ['{"status": "contemplating", "progress": "half"}', { ...none, status: 'unknown' }],
    ['{}', { ...none, status: 'unknown' }],
  ])('%s', async (body, expected) => {
    expect(await ask(saying(200, body))).toEqual(expected);
  });

  test('404 is: never heard of it; the attempt is asked for by name', async () => {
    seen = [];
    expect(await ask(`${saying(404)}?room=1`)).toEqual({ ...none, status: 'unknown' });
    expect(seen[0]?.request.url).toMatch(/\?room=1&task_id=t%2F1&attempt=2$/);
  });

  test('nonsense fails, silence is unreachable', async () => {
    await expect(ask(saying(200, 'fine, thanks'))).rejects.toMatchObject({ code: 'agent_failed' });
    await expect(ask(saying(502))).rejects.toMatchObject({ code: 'agent_unreachable' });
  });
});

test('health is 2xx in time; what is wrong is said and never thrown', async () => {
  const ask = (url: string, by = egress) => askHealth(by, { url, keys: [], headers: {} });
  expect(await ask(saying(200, 'anything'))).toEqual({ ok: true, latency_ms: expect.any(Number), detail: null });
  expect(await ask(saying(204))).toMatchObject({ ok: true });
  expect(await ask(saying(503))).toMatchObject({ ok: false, detail: 'answered 503' });
  expect(await ask('http://127.0.0.1:9/')).toMatchObject({ ok: false });
  expect(await ask(saying(200, Buffer.alloc(1_000_000)))).toMatchObject({ ok: false });
  const closed = createEgress({ allow: [], maxBytes: 1e6, timeoutMs: 1_000 });
  expect(await ask(saying(200), closed)).toMatchObject({ ok: false, detail: expect.stringContaining('EGRESS_ALLOW') });
});

test('a withdrawn attempt is told by DELETE, signed; nobody minds when it cannot be', async () => {
  seen = [];
  const withdraw = (url: string) => withdrawTask(egress, target(url), { task_id: 't-1', attempt: 2 });
  expect(await withdraw(saying(202))).toEqual({ told: true });
  expect(seen[0]?.request.method).toBe('DELETE');
  expect(seen[0]?.request.url).toMatch(/\?task_id=t-1&attempt=2$/);
  expect(seen[0]?.request.headers['webhook-id']).toBe('t-1/2/cancel');
  expect(await withdraw(saying(405))).toEqual({ told: false });
  expect(await withdraw('http://127.0.0.1:9/')).toEqual({ told: false });
});
