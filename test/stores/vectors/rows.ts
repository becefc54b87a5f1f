/** Rows for the tests of vector indexes, the same on every call and in every process. */
import { createHash } from 'node:crypto';
import type { VectorRow } from '../../../src/stores/contract.ts';

export const DIMENSIONS = 24;

/** A row of its own for each number, the same on every call. `owner` separates the tests from each other. */
export function row(owner: string, at: number, change: Partial<VectorRow> = {}): VectorRow {
  return {
    id: uuid(`${owner} ${at}`),
    vector: unit(`${owner} ${at}`),
    owner,
    source: at % 2 ? 'slack' : 'gong',
    content_type: at % 3 ? 'message' : 'transcript',
    author: at % 5 ? `author ${at % 5}` : null,
    occurred_at: at % 7 ? 1_700_000_000_000 + at : null,
    content_hash: createHash('sha256').update(`${owner} ${at}`).digest('hex'),
    ...change,
  };
}

export function uuid(seed: string): string {
  const hex = createHash('md5').update(seed).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A vector of unit length that only depends on `seed`. */
export function unit(seed: string, dimensions = DIMENSIONS): Float32Array {
  const values = new Float32Array(dimensions);
  let state = createHash('md5').update(seed).digest().readUInt32LE(0) || 1;
  for (let at = 0; at < dimensions; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[at] = (state >>> 0) / 2 ** 32 - 0.5;
  }
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return values.map((value) => value / length);
}
