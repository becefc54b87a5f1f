/** The OpenAPI document says what is answered: rate limits, refusals of every kind, and requests that are no HTTP. */
import { connect } from 'node:net';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiEnv } from '../../../src/api/context.ts';
import { openApiDocument } from '../../../src/api/openapi.ts';
import { listen, type RunningServer } from '../../../src/api/server.ts';
import { operations } from '../../../src/operations/index.ts';
import { FAILURES } from '../../../src/schema/failures.ts';

interface Responses {
  [status: string]: { headers?: Record<string, { $ref: string }>; content?: Record<string, unknown> };
}
const document = openApiDocument({ operations, version: '0', publicUrl: 'http://127.0.0.1:8080' }) as any;
const responsesOf = (name: string): Responses => {
  const operation = operations.find((one) => one.name === name);
  if (!operation?.http) throw new Error(`${name} has no route`);
  return document.paths[operation.http.path][operation.http.method].responses;
};
const routed = operations.filter(({ http }) => http);

describe('every operation', () => {
  it('that answers with bytes promises no JSON', () => {
    const downloads = routed.filter(({ http }) => http?.answer === 'download').map(({ name }) => name);
    expect(downloads).toEqual(expect.arrayContaining(['runs.artifact', 'tasks.input']));
    for (const name of downloads) expect(Object.keys(responsesOf(name)['200']?.content ?? {})).toEqual(['*/*']);
  });

  it.each(routed.map(({ name }) => name))('%s names what the door itself may answer', (name) => {
    const responses = responsesOf(name);
    const operation = routed.find((one) => one.name === name);
    const { method, path } = operation?.http ?? { method: '', path: '' };
    const expected = ['400', '401', '403', '408', '429', '431', '500', '503'];
    if (method === 'post' || method === 'put') expected.push('413', '415');
    if (path.includes('{')) expected.push('404', '405');
    for (const code of operation?.failures ?? []) expected.push(String(FAILURES[code].status));
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(expected));
    for (const [status, { headers = {}, content }] of Object.entries(responses)) {
      if (Number(status) >= 400) expect(Object.keys(content ?? {})).toEqual(['application/problem+json']);
      for (const { $ref } of Object.values(headers)) {
        expect(document.components.headers).toHaveProperty([$ref.split('/').at(-1) ?? '']);
      }
    }
    expect(Object.keys(responses['429']?.headers ?? {})).toEqual(
      expect.arrayContaining(['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset', 'Retry-After']),
    );
    expect(responses['401']?.headers).not.toHaveProperty('RateLimit-Limit');
  });
});

describe('what is no request', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await listen(
      new Hono<ApiEnv>().get('/', (c) => c.text('ok')),
      { port: 0, hostname: '127.0.0.1' },
    );
  });
  afterAll(() => server.drain(100));

  const send = (text: string) =>
    new Promise<string>((resolve, reject) => {
      let answer = '';
      const socket = connect({ port: server.port, host: '127.0.0.1' }, () => socket.write(text));
      socket
        .on('data', (chunk) => (answer += chunk))
        .on('close', () => resolve(answer))
        .on('error', reject);
    });

  it.each([
    ['nonsense', 'nonsense\r\n\r\n', 400],
    ['a header with a control character', 'GET / HTTP/1.1\r\nhost: x\r\nidempotency-key: a\u0001b\r\n\r\n', 400],
    ['headers over the limit', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ])('%s is answered as a problem', async (_title, text, status) => {
    const answer = await send(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain('content-type: application/problem+json');
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ status, code: 'invalid_input' });
  });
});
