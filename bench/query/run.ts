/** Search over 100,000 (or, `large`, 1,000,000) records of 384 dimensions: times in process and through HTTP, recall, cache. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { serve } from '@hono/node-server';
import { createApi } from '../../src/api/app.ts';
import type { Deps } from '../../src/deps.ts';
import { queryOperations } from '../../src/operations/query/index.ts';
import { QueryInput } from '../../src/schema/query.ts';
import { newApiKey } from '../../src/services/access/secrets.ts';
import { readDateWords } from '../../src/services/search/date-words.ts';
import { search } from '../../src/services/search/search.ts';
import type { Embedder } from '../../src/stores/contract.ts';
import { openStage, principal, type StageDeps } from '../../test/integration/query/stage.ts';
import { percentile, type Row } from '../row.ts';
import { loadCorpus, OWNER, recordOf } from './load.ts';
import { type Corpus, createCorpus } from './synthetic.ts';

const WARM_UP = 100;
const QUERIES = 500;
const CACHED_TEXTS = 100;
const RECALL_QUERIES = 50;
const TOP = 10;

type Question = ReturnType<Corpus['question']>;

/**
 * The embedder gives each question its synthetic vector at once, so a model's own time (some 5 ms for MiniLM) is not
 * part of these figures. `records`: another number of them, for a quick look. Every timed question is new to the cache, except where the cache is what is measured.
 */
export async function benchQuery(options: { large?: boolean; records?: number } = {}): Promise<Row[]> {
  const [id, usual, bound] = options.large ? ['e', 1_000_000, 100] : ['d', 100_000, 30];
  const count = options.records ?? usual;
  const corpus = createCorpus('ostinato');
  const questions = distinctQuestions(corpus, 2 * (WARM_UP + QUERIES));
  const stage = await openStage({ embedder: questionEmbedder(corpus, questions), settings: { fsync: 'on' } });
  const inProcess = questions.slice(0, WARM_UP + QUERIES);
  const throughHttp = questions.slice(WARM_UP + QUERIES);
  const name = `${count.toLocaleString('en')} records of ${corpus.dimensions} dimensions`;
  try {
    await loadCorpus(stage.deps, corpus, count);
    const rows = [
      timeRow(id, `hybrid query in process, ${name}`, await timeFresh(stage.deps, inProcess), bound),
      timeRow(id, `cached query in process, ${name}`, await timeCached(stage.deps, inProcess.slice(-CACHED_TEXTS)), 5),
      recallRow(id, name, await measureRecall(stage.deps, corpus, count)),
    ];
    if (options.large) return rows;
    return [...rows, timeRow(id, `hybrid query through HTTP, ${name}`, await timeHttp(stage.deps, throughHttp), 60)];
  } finally {
    await stage.close();
  }
}

function distinctQuestions(corpus: Corpus, count: number): Question[] {
  const distinct = new Map<string, Question>();
  for (let index = 0; distinct.size < count; index += 1) {
    const question = corpus.question(index);
    // A date word would leave the text and limit the search: another kind of question.
    if (readDateWords(question.text, Date.now()) === null) distinct.set(question.text, question);
  }
  return [...distinct.values()];
}

function questionEmbedder(corpus: Corpus, questions: readonly Question[]): Embedder {
  const vectors = new Map(questions.map(({ text, vector }) => [text, vector]));
  const vectorOf = (text: string): Float32Array => {
    const vector = vectors.get(text);
    if (!vector) throw new Error(`no vector was made for "${text}"`);
    return vector;
  };
  return {
    name: 'synthetic',
    dimensions: corpus.dimensions,
    embed: async (texts) => texts.map(vectorOf),
    close: async () => {},
  };
}

async function timeFresh(deps: StageDeps, questions: readonly Question[]): Promise<number[]> {
  const times: number[] = [];
  for (const { text } of questions) {
    const started = performance.now();
    const { mode, cache_hit } = await search(deps, principal(OWNER), QueryInput.parse({ query: text }), Date.now());
    times.push(performance.now() - started);
    if (cache_hit || mode !== 'hybrid') throw new Error(`"${text}" was answered by ${cache_hit ? 'the cache' : mode}`);
  }
  return times.slice(WARM_UP);
}

async function timeCached(deps: StageDeps, questions: readonly Question[]): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < QUERIES / CACHED_TEXTS; round += 1) {
    for (const { text } of questions) {
      const started = performance.now();
      const { cache_hit } = await search(deps, principal(OWNER), QueryInput.parse({ query: text }), Date.now());
      times.push(performance.now() - started);
      if (!cache_hit) throw new Error(`"${text}" was asked before and not answered by the cache`);
    }
  }
  return times;
}

async function timeHttp(deps: StageDeps, questions: readonly Question[]): Promise<number[]> {
  const { key, hash, prefix } = newApiKey();
  const holder = { principal_id: OWNER, name: OWNER, role: 'analyst', created_by: null, expires_at: null } as const;
  await deps.db
    .insertInto('api_keys')
    .values({ ...holder, hash, prefix })
    .execute();
  // The routes of the query room use no more of Deps than the stage has.
  const limits = { take: () => null };
  const api = createApi({ deps: { ...deps, limits } as unknown as Deps, operations: queryOperations });
  const server = serve({ fetch: api.fetch, port: 0, hostname: '127.0.0.1' });
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/query`;
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  try {
    const times: number[] = [];
    for (const { text } of questions) {
      const started = performance.now();
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query: text }) });
      const body = await answer.text();
      times.push(performance.now() - started);
      if (!answer.ok) throw new Error(`HTTP ${answer.status}: ${body}`);
    }
    return times.slice(WARM_UP);
  } finally {
    await promisify(server.close.bind(server))();
  }
}

/** The share of the ten truly nearest, found by comparing with every vector, that the index gives. */
async function measureRecall(deps: StageDeps, corpus: Corpus, count: number): Promise<number> {
  const questions = Array.from({ length: RECALL_QUERIES }, (_, index) => corpus.question(index).vector);
  const nearest: { index: number; score: number }[][] = questions.map(() => []);
  for (let index = 0; index < count; index += 1) {
    const vector = corpus.vector(index);
    for (const [place, question] of questions.entries()) {
      const best = nearest[place] ?? [];
      const score = dot(question, vector);
      if (best.length === TOP && score <= (best[TOP - 1]?.score ?? 0)) continue;
      best.push({ index, score });
      best.sort((a, b) => b.score - a.score);
      best.length = Math.min(best.length, TOP);
    }
  }
  let found = 0;
  for (const [place, question] of questions.entries()) {
    const hits = new Set((await deps.vectors?.search(question, TOP, { owners: [OWNER] }))?.map((hit) => hit.id));
    found += (nearest[place] ?? []).filter(({ index }) => hits.has(recordOf(index))).length;
  }
  return found / (TOP * RECALL_QUERIES);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

function timeRow(id: string, what: string, times: readonly number[], bound: number): Row {
  const [p50, p95] = [percentile(times, 0.5), percentile(times, 0.95)];
  const value = `p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`;
  return { id, what, value, target: `p95 under ${bound} ms`, met: p95 < bound };
}

function recallRow(id: string, name: string, recall: number): Row {
  const what = `recall@${TOP} against brute force, ${name}`;
  return { id, what, value: recall.toFixed(3), target: 'at least 0.95', met: recall >= 0.95 };
}
