/** A deterministic embedder without a model: hashed words and word parts, so that texts that share words are near. */
import { Failure } from '../../schema/failures.ts';
import type { Embedder } from '../contract.ts';

/** Longer texts say nothing more to a bag of words, and the bound keeps one text from holding up the rest. */
const MAX_CHARACTERS = 64 * 1024;
const WORD_WEIGHT = 1;
/** Words this short are mostly articles and prepositions, which say little about what a text is about. */
const SHORT_WORD = 3;
const SHORT_WORD_WEIGHT = 0.4;
/** Parts of words make `deploy` and `deployment` near without letting them outweigh whole words. */
const PART_WEIGHT = 0.35;
const PART_LENGTH = 4;

/**
 * Feature hashing (Weinberger and others 2009): each feature adds its weight with a hashed sign at a hashed place.
 * The same text gives the same bits on every machine. Throws Failure('invalid_input') for fewer than 8 dimensions.
 */
export function hashEmbedder(options: { dimensions: number }): Embedder {
  const { dimensions } = options;
  if (!Number.isSafeInteger(dimensions) || dimensions < 8) {
    throw new Failure('invalid_input', `An embedding needs at least 8 dimensions, not ${dimensions}`);
  }
  return {
    name: `hash-v1-${dimensions}`,
    dimensions,
    async embed(texts, signal) {
      signal?.throwIfAborted();
      return texts.map((text) => hashText(text, dimensions));
    },
    async close() {},
  };
}

function hashText(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  const plain = text.slice(0, MAX_CHARACTERS).normalize('NFKC').toLowerCase();
  for (const [word] of plain.matchAll(/[\p{L}\p{N}]+/gu)) {
    add(vector, fnv1a(word, 0, word.length, 0), word.length > SHORT_WORD ? WORD_WEIGHT : SHORT_WORD_WEIGHT);
    for (let at = 0; at + PART_LENGTH <= word.length; at += 1) {
      add(vector, fnv1a(word, at, at + PART_LENGTH, 1), PART_WEIGHT);
    }
  }
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (squares === 0) {
    // No word at all: one fixed direction, so that the vector still has a length to compare by.
    vector[0] = 1;
    return vector;
  }
  const length = Math.sqrt(squares);
  for (let at = 0; at < dimensions; at += 1) vector[at] = (vector[at] ?? 0) / length;
  return vector;
}

function add(vector: Float32Array, hash: number, weight: number): void {
  const at = (hash >>> 1) % vector.length;
  vector[at] = (vector[at] ?? 0) + (hash & 1 ? weight : -weight);
}

/** FNV-1a over UTF-16 units with a last mixing step (murmur3's), as the low bits of FNV alone repeat. */
function fnv1a(text: string, from: number, to: number, kind: number): number {
  let hash = 0x811c9dc5 ^ kind;
  for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
