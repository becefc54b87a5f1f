/** A synthetic corpus from a seed: clustered vectors and texts in the samples' own vocabulary. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom, type Random } from '../../samples/random.ts';

export interface Corpus {
  dimensions: number;
  /** Text of record `index`: 12 to 60 words, common ones often and rare ones seldom. */
  text(index: number): string;
  /** Unit vector of record `index`: one of the cluster centres, disturbed. */
  vector(index: number): Float32Array;
  /** A question of two to five words with the vector that a model would make of it. */
  question(index: number): { text: string; vector: Float32Array };
}

const CLUSTERS = 1_000;
const DIMENSIONS = 384;
/** How far vectors lie from their centre, per coordinate before normalising; the centre's are about 0.05. */
const SPREAD = 0.04;

export function createCorpus(seed: string): Corpus {
  const words = vocabulary(join(import.meta.dirname, '../../samples'));
  const centres = Array.from({ length: CLUSTERS }, (_, index) =>
    unit(gaussian(createRandom(`${seed}:centre:${index}`), 1)),
  );
  const near = (random: Random): Float32Array => {
    const centre = random.pick(centres);
    const noise = gaussian(random, SPREAD);
    return unit(noise.map((value, at) => value + (centre[at] ?? 0)));
  };
  const sentence = (random: Random, least: number, most: number): string =>
    Array.from({ length: least + random.int(most - least + 1) }, () => zipf(random, words)).join(' ');
  return {
    dimensions: DIMENSIONS,
    text: (index) => sentence(createRandom(`${seed}:text:${index}`), 12, 60),
    vector: (index) => near(createRandom(`${seed}:vector:${index}`)),
    question: (index) => ({
      text: sentence(createRandom(`${seed}:question:${index}`), 2, 5),
      vector: near(createRandom(`${seed}:question-vector:${index}`)),
    }),
  };
}

/** Words of the samples' texts, most frequent first. */
function vocabulary(folder: string): string[] {
  const counts = new Map<string, number>();
  for (const path of textFiles(folder)) {
    for (const [word] of readFileSync(path, 'utf8')
      .toLowerCase()
      .matchAll(/[a-z]{3,14}/g)) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([word]) => word);
}

function textFiles(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
    .flatMap((path) => (statSync(path).isDirectory() ? textFiles(path) : /\.(json|csv|ts)$/.test(path) ? [path] : []));
}

/** Word frequencies of natural text: the n-th word about 1/n as often as the first. */
function zipf(random: Random, words: readonly string[]): string {
  const rank = Math.floor(words.length ** random.next()) - 1;
  return words[rank] ?? 'water';
}

function gaussian(random: Random, scale: number): Float32Array {
  const out = new Float32Array(DIMENSIONS);
  for (let at = 0; at < DIMENSIONS; at += 2) {
    const radius = scale * Math.sqrt(-2 * Math.log(1 - random.next()));
    const angle = 2 * Math.PI * random.next();
    out[at] = radius * Math.cos(angle);
    out[at + 1] = radius * Math.sin(angle);
  }
  return out;
}

function unit(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares);
  return vector.map((value) => value / length);
}
