/** A search from request to answer: cache, words and meaning in parallel, fusion, page, log. */
import { randomUUID } from 'node:crypto';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { Principal } from '../../schema/principal.ts';
import type { QueryInput, QueryOutput, SearchMode } from '../../schema/query.ts';
import { logQuery } from '../../stores/query-log.ts';
import { newestRows } from '../../stores/search.ts';
import { type Answer, keep, lookUp } from './answers.ts';
import { readResults } from './page.ts';
import { fuse, type Ranking, rankByMeaning, rankByWords } from './rank.ts';
import { normalizeText, readRequest, type SearchRequest, writeCursor } from './request.ts';
import { createWordMemory, readTextSearch, type TextSearch, type WordMemory } from './words.ts';

export type SearchDeps = Pick<Deps, 'db' | 'cache' | 'vectors' | 'embedder' | 'semanticOff' | 'metrics' | 'log'>;

/**
 * Answers a query with what `principal` may see. `now` (milliseconds) resolves date words.
 * Throws Failure: semantic_unavailable, unavailable (semantic mode and its index or model is down), invalid_input.
 */
export async function search(
  deps: SearchDeps,
  principal: Principal,
  input: QueryInput,
  now: number,
): Promise<QueryOutput> {
  const started = performance.now();
  let { mode, notice } = chooseMode(deps, input.mode);
  const request = readRequest(input, { principal, mode, embedder: deps.embedder?.name ?? null, now });
  const lookup = await lookUp(deps, request);
  let answer = lookup.answer;
  if (answer === null) {
    const fresh = await answerAfresh(deps, request);
    answer = fresh.answer;
    if (fresh.degraded === null) keep(deps, lookup, answer);
    else [mode, notice] = ['keyword', fresh.degraded];
  }
  const output: QueryOutput = {
    query_id: randomUUID(),
    ...answer,
    result_count: answer.results.length,
    response_time_ms: Math.round((performance.now() - started) * 100) / 100,
    cache_hit: lookup.answer !== null,
    mode,
    notice: notice ?? (request.normalized === '' ? 'No words are left to search for: newest first' : null),
    interpreted: request.interpreted,
  };
  deps.metrics.queries.inc({ mode, cache: output.cache_hit ? 'hit' : 'miss' });
  deps.metrics.querySeconds.observe({ mode }, output.response_time_ms / 1000);
  await tell(deps, principal, input, output);
  return output;
}

function chooseMode(deps: SearchDeps, asked: SearchMode): { mode: SearchMode; notice: string | null } {
  if (asked === 'keyword' || (deps.embedder && deps.vectors)) return { mode: asked, notice: null };
  const reason = deps.semanticOff ?? 'no embedder is configured';
  if (asked === 'semantic') throw new Failure('semantic_unavailable', `Semantic search is off: ${reason}`);
  return { mode: 'keyword', notice: `Keyword search only: ${reason}` };
}

interface Fresh {
  answer: Answer;
  /** Why the answer is by words only although more was asked for; such an answer is not cached. */
  degraded: string | null;
}

async function answerAfresh(deps: SearchDeps, request: SearchRequest): Promise<Fresh> {
  const { db } = deps;
  if (request.normalized === '') {
    const ids = await newestRows(db, request.filter, MOST_NEWEST);
    const ranking = { ids, complete: ids.length < MOST_NEWEST, strong: ids.length, weight: 1 };
    return { answer: await answerOf(deps, request, [ranking], null), degraded: null };
  }
  const byWords = async (): Promise<[TextSearch, Ranking | null]> => {
    const text = await readTextSearch(db, memoryOf(deps), request.text);
    return [text, request.mode === 'semantic' ? null : await rankByWords(db, text, request.filter)];
  };
  const [[text, words], meaning] = await Promise.all([byWords(), byMeaning(deps, request)]);
  const failed = meaning instanceof Failure ? meaning : null;
  if (failed && request.mode === 'semantic') throw failed;
  const rankings = [words, meaning].filter((ranking) => ranking !== null && !(ranking instanceof Failure));
  return { answer: await answerOf(deps, request, rankings as Ranking[], text), degraded: failed?.message ?? null };
}

const MOST_NEWEST = 300;

/** How long words wait for meaning: a model that is still being fetched must not hold up a hybrid search. */
const MEANING_TIMEOUT_MS = { hybrid: 3_000, semantic: 30_000 };

/** A failing or slow model or index is answered as a Failure, so that the words can still be searched. */
async function byMeaning(deps: SearchDeps, request: SearchRequest): Promise<Ranking | Failure | null> {
  const { db, embedder, vectors } = deps;
  if (request.mode === 'keyword' || !embedder || !vectors) return null;
  const ranking = rankByMeaning({ db, embedder, vectors }, request.text, request.filter);
  // Late, it is nobody's business any more.
  ranking.catch(() => {});
  const late = new Failure('unavailable', 'Semantic search is not ready yet: its model is still being loaded');
  const limit = timer(MEANING_TIMEOUT_MS[request.mode], late);
  try {
    return await Promise.race([ranking, limit.rejects]);
  } catch (error) {
    if (error instanceof Failure) return error;
    deps.log.warn({ err: error }, 'semantic search failed');
    return new Failure('unavailable', 'Semantic search does not answer at the moment', { cause: error });
  } finally {
    limit.stop();
  }
}

function timer(ms: number, error: Error): { rejects: Promise<never>; stop(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  const running = setTimeout(() => reject(error), ms);
  return { rejects: promise, stop: () => clearTimeout(running) };
}

async function answerOf(
  deps: SearchDeps,
  request: SearchRequest,
  rankings: Ranking[],
  text: TextSearch | null,
): Promise<Answer> {
  const ranked = fuse(rankings);
  const end = request.offset + request.limit;
  const results = await readResults(deps.db, ranked.slice(request.offset, end), {
    filter: request.filter,
    search: text,
  });
  return {
    results,
    total: ranked.length,
    total_is_exact: rankings.every((ranking) => ranking.complete),
    next_cursor: end < ranked.length ? writeCursor(request, end) : null,
  };
}

/** One statement, awaited: it costs about a millisecond, and a crash loses no query that was answered. */
async function tell(deps: SearchDeps, principal: Principal, input: QueryInput, output: QueryOutput): Promise<void> {
  const executed = {
    query_id: output.query_id,
    owner: principal.id,
    query_text: input.query,
    normalized: normalizeText(input.query),
    sources: input.sources ?? ['all'],
    mode: output.mode,
    result_count: output.result_count,
    response_time_ms: output.response_time_ms,
    cache_hit: output.cache_hit,
  };
  await logQuery(deps.db, executed).catch((error) =>
    deps.log.error({ err: error, query: executed }, 'a query was answered but could not be logged'),
  );
}

/** What is known about words belongs to a database, however often it is searched. */
const memories = new WeakMap<object, WordMemory>();

function memoryOf(deps: SearchDeps): WordMemory {
  const known = memories.get(deps.db);
  if (known) return known;
  const memory = createWordMemory(deps.db);
  memories.set(deps.db, memory);
  return memory;
}
