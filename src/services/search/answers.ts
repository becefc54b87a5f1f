/** Cached answers: in this process or Redis first, then in Postgres; given only while their content is unchanged. */
import { z } from 'zod';
import type { Deps } from '../../deps.ts';
import type { JsonObject } from '../../schema/json.ts';
import { SearchResult } from '../../schema/query.ts';
import { readContentVersions } from '../../stores/content-versions.ts';
import { CACHE_TTL_SECONDS, pruneQueryCache, readCachedAnswer, writeCachedAnswer } from '../../stores/query-cache.ts';
import type { SearchRequest } from './request.ts';

/** The part of an answer that is the same for every caller who sees the same content. */
export const Answer = z.object({
  results: z.array(SearchResult),
  total: z.int(),
  total_is_exact: z.boolean(),
  next_cursor: z.string().nullable(),
});
export type Answer = z.output<typeof Answer>;

type CacheDeps = Pick<Deps, 'db' | 'cache' | 'log'>;

export interface Lookup {
  key: string;
  /** Read before the search starts: a change during the search makes the answer stale at once, never late. */
  versions: string;
  answer: Answer | null;
}

export async function lookUp(deps: CacheDeps, request: SearchRequest): Promise<Lookup> {
  const key = `query:${request.fingerprint}:${request.offset}:${request.limit}`;
  const { owners, sources } = request.filter;
  const [versions, near] = await Promise.all([
    readContentVersions(deps.db, owners, sources),
    deps.cache.get(key).catch(() => null),
  ]);
  const held = near === null ? await readCachedAnswer(deps.db, key) : parseHeld(near);
  if (held?.versions !== versions) return { key, versions, answer: null };
  if (near === null) await keepNear(deps, key, JSON.stringify(held));
  // Both caches were written by this program; Redis may still hold the form of another version of it.
  const answer = Answer.safeParse(held.response);
  return { key, versions, answer: answer.success ? answer.data : null };
}

/** Stores without holding the caller up: a lost entry is only computed again. */
export function keep(deps: CacheDeps, lookup: Lookup, answer: Answer): void {
  const held = { versions: lookup.versions, response: answer as unknown as JsonObject };
  const stored = Promise.all([keepNear(deps, lookup.key, JSON.stringify(held)), keepFar(deps, lookup.key, held)]);
  stored.catch((error) => deps.log.debug({ err: error }, 'an answer could not be cached'));
}

/** One store in so many also removes what expired or is beyond the bound. */
const PRUNE_ONE_IN = 200;

async function keepFar(deps: CacheDeps, key: string, held: { versions: string; response: JsonObject }): Promise<void> {
  await writeCachedAnswer(deps.db, key, held);
  if (Math.random() * PRUNE_ONE_IN < 1) await pruneQueryCache(deps.db);
}

async function keepNear(deps: CacheDeps, key: string, value: string): Promise<void> {
  await deps.cache.set(key, value, CACHE_TTL_SECONDS).catch(() => {});
}

function parseHeld(text: string): { versions: string; response: unknown } | null {
  try {
    return JSON.parse(text) as { versions: string; response: unknown };
  } catch {
    return null;
  }
}
