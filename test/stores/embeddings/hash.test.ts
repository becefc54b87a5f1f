/** The hash embedder: deterministic, of unit length, and near where words are shared. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { hashEmbedder } from '../../../src/stores/embeddings/hash.ts';

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

async function embed(dimensions: number, ...texts: string[]): Promise<Float32Array[]> {
  return hashEmbedder({ dimensions }).embed(texts);
}

test('makes unit vectors of any dimension, for any text', async () => {
  for (const dimensions of [8, 100, 384, 1536]) {
    const vectors = await embed(dimensions, 'The contract was signed', '', '🙂 !!!', 'a', 'zwölf Ärzte', '\0');
    for (const vector of vectors) {
      expect(vector).toHaveLength(dimensions);
      expect(dot(vector, vector)).toBeCloseTo(1, 5);
    }
  }
  expect(() => hashEmbedder({ dimensions: 4 })).toThrow('at least 8');
});

test('gives the same bits for the same text, whatever stands beside it', async () => {
  const [alone] = await embed(384, 'Renewal of the Acme contract in March');
  const [, beside] = await embed(384, 'something else', 'Renewal of the Acme contract in March');
  expect(beside).toEqual(alone);
  const digest = createHash('sha256').update(new Uint8Array(alone?.buffer ?? new ArrayBuffer(0)));
  expect(digest.digest('hex').slice(0, 16)).toBe('bc51688e6ccc8f55');
});

test('puts texts that share words nearer than others', async () => {
  const [question, answer, related, other] = await embed(
    384,
    'when does the acme contract renew',
    'The Acme contract does renew on 1 March.',
    'renewal of contracts',
    'lunch is at noon in the big kitchen',
  );
  if (!question || !answer || !related || !other) throw new Error('four vectors expected');
  expect(dot(question, answer)).toBeGreaterThan(0.5);
  expect(dot(question, related)).toBeGreaterThan(dot(question, other) + 0.1);
  expect(Math.abs(dot(question, other))).toBeLessThan(0.2);
});
