/** MiniLM with its real weights: fetched once, right to the sixth digit, and never in the way of the main loop. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Embedder } from '../../../src/stores/contract.ts';
import { openEmbedder } from '../../../src/stores/embeddings/index.ts';
import { miniLmEmbedder } from '../../../src/stores/embeddings/minilm.ts';
import { miniLmFolder, resolveMiniLm } from '../../../src/stores/embeddings/minilm-files.ts';
import { testCacheDir } from '../../support/servers/available.ts';

const cacheDir = testCacheDir();
const timeoutMs = 300_000;
let embedder: Embedder;
beforeAll(async () => {
  embedder = miniLmEmbedder({ cacheDir, timeoutMs });
  await embedder.embed([]);
}, 320_000);
afterAll(() => embedder.close());

function dot(a: Float32Array = new Float32Array(), b: Float32Array = new Float32Array()): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
}

test('computes what the model computes', async () => {
  // The first values by an independent implementation of the same network in numpy, in double precision.
  const expected = [-0.01383406, 0.0577778, 0.01494013, -0.01670461, 0.01483465, 0.02174722];
  const [vector] = await embedder.embed(['The contract was signed yesterday.']);
  expected.forEach((value, at) => {
    expect(vector?.[at]).toBeCloseTo(value, 5);
  });
  expect(vector).toHaveLength(384);
  expect(dot(vector, vector)).toBeCloseTo(1, 5);
});

test('puts paraphrases near and other things far', async () => {
  const [signed, agreement, bananas] = await embedder.embed([
    'The contract was signed yesterday.',
    'Yesterday they put their signature under the agreement.',
    'Bananas are rich in potassium.',
  ]);
  expect(dot(signed, agreement)).toBeGreaterThan(0.6);
  expect(Math.abs(dot(signed, bananas))).toBeLessThan(0.15);
});

test('gives a text the same vector in any company, order and length', async () => {
  const texts = ['', 'a', 'zwölf Ärzte 🙂 日本語', 'short text', 'word '.repeat(1_000), 'x'.repeat(50_000)];
  const many = [...texts, ...Array.from({ length: 60 }, (_, at) => 'another sentence '.repeat(1 + (at % 9)))];
  const together = await embedder.embed(many);
  expect(together).toHaveLength(many.length);
  for (const [at, text] of texts.entries()) {
    const [alone] = await embedder.embed([text]);
    expect(dot(alone, alone)).toBeCloseTo(1, 5);
    expect(dot(alone, together[at]), text.slice(0, 20)).toBeCloseTo(1, 5);
  }
  const [cut] = await embedder.embed(['word '.repeat(300)]);
  expect(dot(cut, together[4])).toBeCloseTo(1, 5);
});

test('leaves the main loop free, lets a short call in between, and stops when told', async () => {
  const bulk = Array.from({ length: 150 }, (_, at) => `number ${at} `.repeat(120));
  let ticks = 0;
  const order: string[] = [];
  const control = new AbortController();
  const running = embedder.embed(bulk, control.signal).then(
    () => order.push('bulk'),
    () => order.push('stopped'),
  );
  const timer = setInterval(() => (ticks += 1), 5);
  await sleep(20);
  await embedder.embed(['a question']);
  order.push('question');
  control.abort();
  await running;
  clearInterval(timer);
  expect(order).toEqual(['question', 'stopped']);
  expect(ticks).toBeGreaterThan(10);
});

test('is known at once and fetched by nobody before it is needed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'minilm-'));
  const settings = {
    EMBEDDINGS: 'auto' as const,
    EMBEDDING_MODEL: 'unused',
    EMBEDDING_DIMENSIONS: 1536,
    OPENAI_API_KEY: undefined,
    OPENAI_BASE_URL: undefined,
    OSTINATO_COMPONENT_TIMEOUT: 10,
    cacheDir: folder,
  };
  const opened = await openEmbedder(settings);
  expect(opened).toMatchObject({ embedder: { name: 'all-MiniLM-L6-v2', dimensions: 384 } });
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });
});

test('takes no unfinished fetch for a finished one, and says what to do when there is none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'minilm-'));
  const target = miniLmFolder(folder);
  await mkdir(target, { recursive: true });
  await writeFile(join(target, 'model.safetensors'), 'half');
  // The lock of a process that is no more.
  await writeFile(`${target}.lock`, '999999999');
  const control = new AbortController();
  control.abort(new Error('no network in this test'));
  const failing = resolveMiniLm({ cacheDir: folder, timeoutMs: 5_000, signal: control.signal });
  await expect(failing).rejects.toThrow();
  expect((await readdir(join(folder, 'models'))).filter((name) => name.startsWith('.tmp'))).toEqual([]);
  await rm(folder, { recursive: true });
});
