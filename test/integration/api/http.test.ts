/** The door on a real socket: uploads, bodies, refusals, headers, hosts, documents. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createApi } from '../../../src/api/app.ts';
import { listen, type RunningServer } from '../../../src/api/server.ts';
import { accessOperations } from '../../../src/operations/access/index.ts';
import { type AnyOperation, defineOperation } from '../../../src/operations/contract.ts';
import { parseInput } from '../../../src/operations/invoke.ts';
import { Failure } from '../../../src/schema/failures.ts';
import { door, makeKey, openStand, type Stand } from './stand.ts';

const MAX_UPLOAD = 3 * 1024 * 1024;
const Form = z.object({ source_type: z.enum(['slack', 'gong']), metadata: z.string().optional() });

/** What became of the last upload, seen from the operation. */
let lastUpload: { bytes: number; peak: number; error: unknown } | null = null;

const upload = defineOperation({
  name: 'test.upload',
  summary: 'Hash a file',
  room: 'ingestion',
  permission: 'files:write',
  input: Form.partial(),
  output: z.object({ sha256: z.string(), size: z.int(), filename: z.string(), fields: Form }),
  http: { method: 'post', path: '/test/upload', status: 202, body: 'multipart', form: Form, tag: 'Test' },
  failures: ['payload_too_large', 'upload_broken'],
  audited: false,
  async run({ upload }) {
    if (!upload) throw new Failure('internal', 'no upload');
    lastUpload = { bytes: 0, peak: 0, error: null };
    const hash = createHash('sha256');
    try {
      for await (const chunk of upload.body) {
        hash.update(chunk);
        lastUpload.bytes += chunk.length;
        lastUpload.peak = Math.max(lastUpload.peak, chunk.length);
      }
      const fields = parseInput(Form, await upload.fields());
      return { sha256: hash.digest('hex'), size: lastUpload.bytes, filename: upload.filename, fields };
    } catch (error) {
      lastUpload.error = error;
      throw error;
    }
  },
});

const echo = defineOperation({
  name: 'test.echo',
  summary: 'Say what was understood',
  room: 'system',
  permission: 'files:read',
  input: z.object({
    item_id: z.string(),
    text: z.string().optional(),
    tags: z.array(z.string()).optional(),
    limit: z.coerce.number().int().max(10).optional(),
    nested: z.json().optional(),
  }),
  output: z.object({}).loose(),
  http: { method: 'post', path: '/test/items/{item_id}', tag: 'Test' },
  failures: ['not_found'],
  audited: false,
  run: async ({ idempotencyKey }, input) => ({ ...input, idempotencyKey }),
});

const look = defineOperation({
  ...echo,
  name: 'test.look',
  http: { method: 'get', path: '/test/items/{item_id}', tag: 'Test' },
});

const broken = defineOperation({
  ...echo,
  name: 'test.broken',
  input: z.object({}),
  http: { method: 'get', path: '/test/broken', tag: 'Test' },
  run: async () => {
    throw new Error('a secret of the inside');
  },
});

let stand: Stand;
let server: RunningServer;
let base: string;
let auth: Record<string, string>;

beforeAll(async () => {
  stand = await openStand({}, { MAX_UPLOAD_BYTES: String(MAX_UPLOAD), METRICS_TOKEN: 'a-token-for-metrics' });
  const operations: AnyOperation[] = [upload, echo, look, broken, ...accessOperations];
  const api = createApi({ ...door(stand.deps), operations });
  server = await listen(api, { port: 0, hostname: '127.0.0.1' });
  base = `http://127.0.0.1:${server.port}`;
  auth = { authorization: `Bearer ${(await makeKey(stand.deps, 'admin')).key}` };
});
afterAll(async () => {
  await server.drain(1000);
  await stand.close();
});

type Part = { name: string; value: string | Buffer; filename?: string };

function form(parts: Part[], options: { unfinished?: boolean } = {}): { body: Buffer; type: string } {
  const boundary = `b${randomUUID()}`;
  const chunks = parts.flatMap(({ name, value, filename }) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n\r\n`,
    value,
    '\r\n',
  ]);
  if (!options.unfinished) chunks.push(`--${boundary}--\r\n`);
  return {
    body: Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))),
    type: `multipart/form-data; boundary=${boundary}`,
  };
}

async function send(parts: Part[], options: { unfinished?: boolean } = {}) {
  const { body, type } = form(parts, options);
  const response = await fetch(`${base}/test/upload`, {
    method: 'POST',
    headers: { ...auth, 'content-type': type },
    body: new Uint8Array(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('uploads', () => {
  const bytes = randomBytes(2 * 1024 * 1024);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const file: Part = { name: 'file', value: bytes, filename: 'Größe/../export.zip' };
  const source: Part = { name: 'source_type', value: 'slack' };

  it.each([
    ['before', [source, file]],
    ['after', [file, source]],
  ])('stream, with the fields %s the file', async (_, parts) => {
    const { status, body } = await send(parts);
    expect(body).toEqual({ sha256, size: bytes.length, filename: 'export.zip', fields: { source_type: 'slack' } });
    expect(status).toBe(202);
    expect(lastUpload?.peak).toBeLessThanOrEqual(256 * 1024);
  });

  it('refuse a wrong field early, a missing one late, another form at once', async () => {
    lastUpload = null;
    expect((await send([{ name: 'source_type', value: 'fax' }, file])).body).toMatchObject({
      code: 'invalid_input',
      errors: [{ path: 'source_type' }],
    });
    expect(lastUpload).toBeNull();
    expect((await send([file])).body).toMatchObject({ code: 'invalid_input', errors: [{ path: 'source_type' }] });
    expect((await send([source])).body).toMatchObject({ code: 'invalid_input', errors: [{ path: 'file' }] });
    expect((await send([source, file, file])).body).toMatchObject({ code: 'invalid_input' });
    expect((await send([source, { ...file, name: 'upload' }])).body).toMatchObject({ code: 'invalid_input' });
    const json = await fetch(`${base}/test/upload`, {
      method: 'POST',
      headers: { ...auth, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(json.status).toBe(415);
  });

  it('stop at MAX_UPLOAD_BYTES while streaming, also when nothing was announced', async () => {
    const { body, type } = form([source, { ...file, value: randomBytes(MAX_UPLOAD + 1) }]);
    async function* slices() {
      for (let at = 0; at < body.length; at += 65_536) yield new Uint8Array(body.subarray(at, at + 65_536));
    }
    const response = await fetch(`${base}/test/upload`, {
      method: 'POST',
      headers: { ...auth, 'content-type': type },
      body: Readable.toWeb(Readable.from(slices())),
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
    expect(lastUpload?.error).toBeInstanceOf(Failure);
    const exact = await send([source, { ...file, value: randomBytes(MAX_UPLOAD) }]);
    expect(exact.status).toBe(202);
  });

  it('tell the operation when the form is cut off or the connection breaks', async () => {
    expect((await send([source, file], { unfinished: true })).body).toMatchObject({ code: 'upload_broken' });
    expect(lastUpload?.error).toMatchObject({ code: 'upload_broken' });

    lastUpload = null;
    const { body, type } = form([source, file]);
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `POST /test/upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${auth.authorization}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body.subarray(0, 500_000));
    await expect.poll(() => lastUpload?.bytes ?? 0, { timeout: 5000 }).toBeGreaterThan(100_000);
    socket.destroy();
    await expect.poll(() => lastUpload?.error, { timeout: 5000 }).toMatchObject({ code: 'upload_broken' });
  });
});

async function problemOf(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const body = (await response.json()) as Record<string, unknown>;
  expect(body.status).toBe(response.status);
  expect(JSON.stringify(body)).not.toMatch(/\.ts:\d|node_modules/);
  return body;
}

describe('bodies and paths', () => {
  const post = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    fetch(`${base}/test/items/7`, { method: 'POST', headers: { ...auth, ...headers }, body });

  it('take path over body, lists from queries, and an empty body', async () => {
    expect(await (await post('{"item_id":"8","text":"hi"}')).json()).toEqual({
      item_id: '7',
      text: 'hi',
      idempotencyKey: null,
    });
    expect(await (await post('', { 'idempotency-key': 'k-1' })).json()).toEqual({
      item_id: '7',
      idempotencyKey: 'k-1',
    });
    const got = await fetch(`${base}/test/items/7?tags=a,b&tags=c&limit=3`, { headers: auth });
    expect(await got.json()).toMatchObject({ tags: ['a', 'b', 'c'], limit: 3 });
  });

  it.each([
    [
      'malformed JSON, with its place',
      '{"a":\n1,}',
      { 'content-type': 'application/json' },
      400,
      /position 8 \(line 2, column 3\)/,
    ],
    ['JSON cut short', '{"a":', { 'content-type': 'application/json' }, 400, /position 5/],
    ['a list', '[]', { 'content-type': 'application/json' }, 400, /object/],
    ['another type', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, /application\/json/],
    ['bytes that are no UTF-8', 'latin', { 'content-type': 'application/json' }, 400, /UTF-8/],
    ['too much', `{"text":"${'x'.repeat(1024 * 1024)}"}`, { 'content-type': 'application/json' }, 413, /1048576/],
    ['a wrong field', '{"limit":11}', { 'content-type': 'application/json' }, 400, /limit/],
    [
      'a strange idempotency key',
      '{}',
      { 'content-type': 'application/json', 'idempotency-key': 'x'.repeat(256) },
      400,
      /Idempotency/,
    ],
  ] as const)('refuse %s', async (name, body, headers, status, detail) => {
    const bytes = name.includes('UTF-8') ? new Uint8Array([0x7b, 0xff, 0x7d]) : body;
    const response = await fetch(`${base}/test/items/7`, {
      method: 'POST',
      headers: { ...auth, ...headers },
      body: bytes,
    });
    expect(response.status).toBe(status);
    expect((await problemOf(response)).detail).toMatch(detail);
  });

  it('answers 404, 405 with Allow, and 500 without a word of the inside', async () => {
    expect((await fetch(`${base}/nothing`)).status).toBe(401);
    expect(await problemOf(await fetch(`${base}/nothing`, { headers: auth }))).toMatchObject({ code: 'not_found' });
    const wrong = await fetch(`${base}/test/items/7`, { method: 'DELETE', headers: auth });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('GET, HEAD, POST');
    const inner = await problemOf(await fetch(`${base}/test/broken`, { headers: auth }));
    expect(inner).toMatchObject({ code: 'internal', status: 500 });
    expect(JSON.stringify(inner)).not.toContain('secret');
  });
});

describe('headers and hosts', () => {
  it('return a sane request id and make one otherwise; no CORS; nothing sniffed or framed', async () => {
    const sane = await fetch(`${base}/health`, { headers: { 'x-request-id': 'abc-1', origin: 'http://evil.example' } });
    expect(sane.headers.get('x-request-id')).toBe('abc-1');
    expect(sane.headers.get('access-control-allow-origin')).toBeNull();
    expect(sane.headers.get('x-content-type-options')).toBe('nosniff');
    expect(sane.headers.get('content-security-policy')).toContain("default-src 'none'");
    const odd = await fetch(`${base}/health`, { headers: { 'x-request-id': 'a b"c' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    ['localhost', true],
    ['127.0.0.1:1234', true],
    ['[::1]:80', true],
    ['LOCALHOST.', true],
    ['evil.example', false],
    ['localhost.evil.example', false],
    ['127.0.0.1.evil.example', false],
    ['192.168.1.1', false],
  ])('Host %s is answered: %s', async (host, answered) => {
    const api = createApi({ ...door(stand.deps), operations: [] });
    const response = await api.request('/api/v1/session', { headers: { ...auth, host } });
    expect(response.status).toBe(answered ? 405 : 403);
  });
});

describe('what people and machines read', () => {
  it('documents every operation, with references that lead somewhere', async () => {
    expect((await fetch(`${base}/openapi.json`)).status).toBe(401);
    const document = await (await fetch(`${base}/openapi.json`, { headers: auth })).json();
    expect(document.openapi).toBe('3.1.0');
    const text = JSON.stringify(document);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      expect(document.components.schemas).toHaveProperty([name ?? '']);
    }
    expect(text).not.toContain('$defs');
    const form = document.paths['/test/upload'].post.requestBody.content['multipart/form-data'].schema;
    expect(form.required).toEqual(['file', 'source_type']);
    expect(document.paths['/test/items/{item_id}'].get.parameters[0]).toMatchObject({ in: 'path', required: true });
    expect(Object.keys(document.paths['/api/v1/keys'].post.responses)).toEqual(
      expect.arrayContaining(['201', '400', '401', '403', '413', '415', '429', '500']),
    );
  });

  it('shows the docs from its own disk to whoever signed in, and a browser where to sign in', async () => {
    const page = await fetch(`${base}/docs`, { headers: { accept: 'text/html' } });
    expect(page.status).toBe(401);
    expect(await page.text()).toContain('/api/v1/session');
    const docs = await (await fetch(`${base}/docs`, { headers: auth })).text();
    const assets = [...docs.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(assets.length).toBeGreaterThan(2);
    for (const asset of assets) expect((await fetch(base + asset, { headers: auth })).status, asset).toBe(200);
  });

  it('shows metrics on loopback, and elsewhere for the token', async () => {
    const open = await fetch(`${base}/metrics`);
    expect(open.status).toBe(200);
    expect(await open.text()).toContain('ostinato_requests_total{');
    expect((await fetch(`${base}/metrics`, { headers: { 'x-forwarded-for': '10.0.0.1' } })).status).toBe(401);
    const token = { 'x-forwarded-for': '10.0.0.1', authorization: 'Bearer a-token-for-metrics' };
    expect((await fetch(`${base}/metrics`, { headers: token })).status).toBe(200);
    const api = createApi({ ...door(stand.deps), operations: [] });
    const peer = { incoming: { socket: { remoteAddress: '192.168.1.9' } } };
    expect((await api.request('/metrics', {}, peer)).status).toBe(401);
  });
});
