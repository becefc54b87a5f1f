/** The client of OpenAI-compatible embeddings, against a server that misbehaves in every way such servers do. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openAiEmbedder } from '../../src/clients/openai-embeddings.ts';
import { openEmbedder } from '../../src/stores/embeddings/index.ts';

interface Seen {
  authorization: string | undefined;
  body: { input: string[]; model: string; dimensions: number };
}
let server: Server;
let baseUrl: string;
let seen: Seen[];
/** Taken from the front, one a request; when it is empty the server answers rightly. */
let faults: ((response: ServerResponse, body: Seen['body']) => void)[];

beforeEach(async () => {
  seen = [];
  faults = [];
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    seen.push({ authorization: request.headers.authorization, body });
    const fault = faults.shift();
    if (fault) fault(response, body);
    else
      answer(response, body.input.map((text: string, index: number) => item(index, text, body.dimensions)).reverse());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const item = (index: number, text: string, dimensions: number) => ({
  index,
  embedding: Array.from({ length: dimensions }, (_, at) => (at === text.length % dimensions ? 3 : 0.001)),
});
const answer = (response: ServerResponse, data: unknown) => response.end(JSON.stringify({ data }));
const fail =
  (status: number, headers: Record<string, string> = {}, code?: string) =>
  (response: ServerResponse) =>
    response
      .writeHead(status, headers)
      .end(JSON.stringify({ error: { code, message: 'it repeats the secret input' } }));
const open = (dimensions = 8) =>
  openAiEmbedder({ baseUrl, apiKey: 'test-key', model: 'a-model', dimensions, firstWaitMs: 5 });

test('sends model, dimensions and key, and puts the answers in the order of the texts, at unit length', async () => {
  const texts = Array.from({ length: 300 }, (_, at) => 'x'.repeat(at));
  const vectors = await open().embed(texts);
  expect(vectors).toHaveLength(300);
  vectors.forEach((vector, at) => {
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    expect(vector.indexOf(Math.max(...vector))).toBe(at === 0 ? 1 : at % 8);
  });
  expect(seen.map(({ body }) => body.input.length)).toEqual([128, 128, 44]);
  expect(seen[0]).toMatchObject({ authorization: 'Bearer test-key', body: { model: 'a-model', dimensions: 8 } });
  expect(seen[0]?.body.input[0]).toBe(' ');
  expect(await open().embed([])).toEqual([]);
});

test('keeps requests small and texts within the model', async () => {
  await open().embed(Array.from({ length: 40 }, () => 'y'.repeat(50_000)));
  for (const { body } of seen) expect(body.input.join('').length).toBeLessThanOrEqual(200_000);
  expect(seen[0]?.body.input[0]).toHaveLength(8_000);
});

test('tries again after 429, 5xx and a broken line', async () => {
  faults = [fail(429), fail(503), (response) => response.destroy(), fail(500)];
  expect(await open().embed(['a'])).toHaveLength(1);
  expect(seen).toHaveLength(5);
});

test('waits as long as the server asks, and hands longer waits to the caller', async () => {
  faults = [fail(429, { 'retry-after': '1' })];
  const before = performance.now();
  await open().embed(['a']);
  expect(performance.now() - before).toBeGreaterThan(950);
  faults = [fail(429, { 'retry-after': '3600' })];
  await expect(open().embed(['a'])).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 3600 });
});

test('gives up after five tries, says so, and repeats nothing of the answer', async () => {
  faults = Array.from({ length: 9 }, () => fail(503, {}, 'overloaded'));
  const failing = open().embed(['a']);
  await expect(failing).rejects.toMatchObject({ code: 'unavailable' });
  await expect(failing).rejects.toThrow(/answered 503 \(overloaded\)/);
  await expect(failing).rejects.not.toThrow(/secret input/);
  expect(seen).toHaveLength(5);
});

test.each([
  ['a refused key', fail(401, {}, 'invalid_api_key'), /401 \(invalid_api_key\)/],
  ['a used-up budget', fail(429, {}, 'insufficient_quota'), /insufficient_quota/],
  ['an unknown model', fail(404), /404/],
])('does not repeat what cannot get better: %s', async (_name, fault, message) => {
  faults = [fault];
  const failing = open().embed(['a']);
  await expect(failing).rejects.toMatchObject({ code: 'semantic_unavailable' });
  await expect(failing).rejects.toThrow(message);
  expect(seen).toHaveLength(1);
});

test.each([
  ['other dimensions', (r: ServerResponse) => answer(r, [item(0, 'a', 16)]), /set EMBEDDING_DIMENSIONS=16/],
  ['too few vectors', (r: ServerResponse) => answer(r, []), /did not answer every text/],
  [
    'one vector twice',
    (r: ServerResponse) => answer(r, [item(0, 'a', 8), item(0, 'a', 8)]),
    /did not answer every text/,
  ],
  ['no numbers', (r: ServerResponse) => answer(r, [{ index: 0, embedding: Array(8).fill('x') }]), /no usable numbers/],
  ['zeros', (r: ServerResponse) => answer(r, [{ index: 0, embedding: Array(8).fill(0) }]), /no usable numbers/],
])('refuses an answer with %s', async (name, fault, message) => {
  faults = [fault];
  const texts = name === 'one vector twice' ? ['a', 'b'] : ['a'];
  await expect(open().embed(texts)).rejects.toThrow(message);
});

test('stops when told, and when closed', async () => {
  faults = [fail(503, { 'retry-after': '20' }), fail(503, { 'retry-after': '20' })];
  const control = new AbortController();
  const stopped = open().embed(['a'], control.signal);
  setTimeout(() => control.abort(new Error('not wanted')), 30);
  await expect(stopped).rejects.toThrow();
  const embedder = open();
  const closed = embedder.embed(['a']);
  await embedder.close();
  await expect(closed).rejects.toThrow();
});

test('is what openEmbedder gives when an address is set, and says what else is off', async () => {
  const settings = {
    EMBEDDINGS: 'auto' as 'auto' | 'openai' | 'off' | 'hash',
    EMBEDDING_MODEL: 'a-model',
    EMBEDDING_DIMENSIONS: 8,
    OPENAI_API_KEY: undefined,
    OPENAI_BASE_URL: baseUrl,
    OSTINATO_COMPONENT_TIMEOUT: 10,
    cacheDir: 'unused',
  };
  const opened = await openEmbedder(settings);
  if (!('embedder' in opened)) throw new Error(opened.off);
  expect(opened.embedder).toMatchObject({ name: 'openai:a-model:8', dimensions: 8 });
  expect(await opened.embedder.embed(['a'])).toHaveLength(1);
  expect(seen[0]?.authorization).toBeUndefined();
  expect(await openEmbedder({ ...settings, EMBEDDINGS: 'off' })).toEqual({
    off: expect.stringContaining('EMBEDDINGS=off'),
  });
  expect(await openEmbedder({ ...settings, EMBEDDINGS: 'openai', OPENAI_BASE_URL: undefined })).toEqual({
    off: expect.stringContaining('OPENAI_API_KEY'),
  });
  expect(await openEmbedder({ ...settings, EMBEDDINGS: 'hash' })).toMatchObject({ embedder: { name: 'hash-v1-8' } });
});
