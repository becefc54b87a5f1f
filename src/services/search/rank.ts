/** Ranks rows for a query: by words, by meaning, and by both fused. */
import type { Embedder, VectorFilter, VectorIndex } from '../../stores/contract.ts';
import type { Db } from '../../stores/database.ts';
import { type ContentFilter, rankCandidates, visibleRows } from '../../stores/search.ts';
import type { TextSearch } from './words.ts';

/** Ids, best first. `complete`: nothing that matches was left out. */
export interface Ranking {
  ids: string[];
  complete: boolean;
}

/** Rows that are ranked of all that match: keeps a search for common words as fast as one for rare words. */
const CANDIDATES = 400;
/** With so many rows that hold every word, rows that hold only some are not looked for. */
const ENOUGH = 50;
const MOST_BY_WORDS = 300;
const MOST_BY_MEANING = 100;

export async function rankByWords(db: Db, search: TextSearch, filter: ContentFilter): Promise<Ranking> {
  const { strict, relaxed, terms } = search;
  if (strict === null) return { ids: [], complete: true };
  const full = await rankCandidates(db, {
    match: strict,
    near: strict,
    except: null,
    terms,
    filter,
    limit: CANDIDATES,
  });
  let found = full;
  let complete = full.length < CANDIDATES;
  if (relaxed !== null && full.length < ENOUGH) {
    const some = await rankCandidates(db, {
      match: relaxed,
      near: null,
      except: strict,
      terms,
      filter,
      limit: CANDIDATES,
    });
    complete &&= some.length < CANDIDATES && !search.partial;
    found = [...full, ...some].sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
  } else if (relaxed !== null) {
    complete = false;
  }
  return {
    ids: found.slice(0, MOST_BY_WORDS).map((row) => row.id),
    complete: complete && found.length <= MOST_BY_WORDS,
  };
}

/** Vectors outlive rows for moments and know nothing of grants: every hit is checked against the rows. */
export async function rankByMeaning(
  deps: { db: Db; embedder: Embedder; vectors: VectorIndex },
  text: string,
  filter: ContentFilter,
): Promise<Ranking> {
  const [vector] = await deps.embedder.embed([text]);
  if (!vector) throw new Error('the embedder gave no vector');
  const hits = await deps.vectors.search(vector, MOST_BY_MEANING, toVectorFilter(filter));
  const ids = hits.map((hit) => hit.id);
  const visible = await visibleRows(deps.db, ids, filter);
  return { ids: ids.filter((id) => visible.has(id)), complete: false };
}

/** From Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet" (SIGIR 2009). */
const RRF_K = 60;

/** Fuses rankings by the sum of 1 / (60 + rank), ranks from 1. Equal scores go by id, so that paging is stable. */
export function fuse(rankings: readonly (readonly string[])[]): { id: string; score: number }[] {
  const scores = new Map<string, number>();
  for (const ids of rankings) {
    for (const [index, id] of ids.entries()) scores.set(id, (scores.get(id) ?? 0) + 1 / (RRF_K + index + 1));
  }
  return [...scores].map(([id, score]) => ({ id, score })).sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
}

function toVectorFilter(filter: ContentFilter): VectorFilter {
  return {
    ...(filter.owners && { owners: [...filter.owners] }),
    ...(filter.sources && { sources: [...filter.sources] }),
    ...(filter.contentTypes && { content_types: [...filter.contentTypes] }),
    ...(filter.author !== null && { author: filter.author }),
    ...(filter.from && { from: filter.from.getTime() }),
    ...(filter.to && { to: filter.to.getTime() }),
  };
}
