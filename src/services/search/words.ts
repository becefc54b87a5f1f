/** Reads a query's words: which count, how rare each is, and the text searches that follow from it. */
import { LRUCache } from 'lru-cache';
import type { Db } from '../../stores/database.ts';
import { estimateRows, readWebQuery, readWords, type Weighted, type Word } from '../../stores/search.ts';

export interface TextSearch {
  /** Matches rows that hold everything asked for; null where only stop words are left. */
  strict: string | null;
  /** Matches rows that hold one of the rarer words; null where the caller's syntax forbids less than everything. */
  relaxed: string | null;
  /** Whether `relaxed` leaves out words because they are too common to be looked up alone. */
  partial: boolean;
  /** Every word that counts, with its weight. */
  terms: Weighted[];
}

/** Remembers how common words are, so that a query asks the database about new words only. */
export interface WordMemory {
  read(words: readonly string[]): Promise<Word[]>;
  /** Rows there are, roughly. */
  rows(): Promise<number>;
}

/** Counts only weigh words, so ten minutes of age do no harm; a word seldom seen is never dropped for it. */
const COUNTS_TTL_MS = 600_000;
const MAX_WORDS_REMEMBERED = 20_000;
const MAX_WORDS = 32;
/** Rows that the words of a relaxed search may have together. */
const RELAXED_ROWS = 2_000;

const WORD = /[\p{L}\p{N}](?:[\p{L}\p{N}'’._@/-]*[\p{L}\p{N}])?/gu;
const OPERATORS = /"|(?:^|\s)-\S|\bor\b/i;

export function createWordMemory(db: Db): WordMemory {
  const known = new LRUCache<string, Word>({ max: MAX_WORDS_REMEMBERED, ttl: COUNTS_TTL_MS });
  let estimate = { rows: 0, until: 0 };
  return {
    async read(words) {
      const missing = words.filter((word) => !known.has(word));
      if (missing.length > 0) for (const word of await readWords(db, missing)) known.set(word.word, word);
      return words.flatMap((word) => known.get(word) ?? []);
    },
    async rows() {
      if (estimate.until < Date.now()) {
        estimate = { rows: await estimateRows(db), until: Date.now() + COUNTS_TTL_MS };
      }
      return estimate.rows;
    },
  };
}

export async function readTextSearch(db: Db, memory: WordMemory, text: string): Promise<TextSearch> {
  const special = OPERATORS.test(text);
  // Words behind a minus are not looked for, so they do not rank either.
  const wanted = special ? text.replace(/(^|\s)-("[^"]*"?|\S+)/g, '$1').replace(/\bor\b/gi, ' ') : text;
  const words = [...new Set(wanted.toLowerCase().match(WORD) ?? [])].slice(0, MAX_WORDS);
  const [read, rows, web] = await Promise.all([
    memory.read(words),
    memory.rows(),
    special ? readWebQuery(db, text) : null,
  ]);
  const counting = read.filter((word) => word.query !== null).sort((a, b) => a.rows - b.rows);
  const total = Math.max(rows, ...counting.map((word) => word.rows), 1);
  const terms = counting.map((word) => ({ query: word.query ?? '', weight: rarity(word.rows, total) }));
  if (special) return { strict: web, relaxed: null, partial: false, terms };
  const rare = counting.slice(0, Math.max(1, countWithin(counting, RELAXED_ROWS)));
  return {
    strict: terms.length === 0 ? null : terms.map((term) => `(${term.query})`).join(' & '),
    relaxed: terms.length < 2 ? null : rare.map((word) => `(${word.query})`).join(' | '),
    partial: rare.length < counting.length,
    terms,
  };
}

/** Inverse document frequency as in BM25 (Robertson and Zaragoza 2009, equation 3.3), never negative. */
function rarity(rows: number, total: number): number {
  return Math.log(1 + (total - rows + 0.5) / (rows + 0.5));
}

function countWithin(words: readonly Word[], bound: number): number {
  let sum = 0;
  let count = 0;
  for (const word of words) {
    sum += word.rows;
    if (sum > bound) break;
    count += 1;
  }
  return count;
}
