/** The log of queries: written with the event that tells of each, read for suggestions and the context document. */
import { sql } from 'kysely';
import type { SearchMode } from '../schema/query.ts';
import type { Db } from './database.ts';
import { EVENTS_CHANNEL } from './events.ts';
import { uuidV5 } from './ids.ts';

export interface ExecutedQuery {
  query_id: string;
  owner: string;
  query_text: string;
  /** As compared: lower case, single spaces. */
  normalized: string;
  /** `["all"]` when the caller named none. */
  sources: string[];
  mode: SearchMode;
  result_count: number;
  response_time_ms: number;
  cache_hit: boolean;
}

/**
 * Row and event `query.executed` in one statement: one round trip, both or neither. The answer does not wait for the
 * disk: a power cut may forget the last queries asked, never half of one.
 */
export async function logQuery(db: Db, query: ExecutedQuery): Promise<void> {
  const data = JSON.stringify({
    query_id: query.query_id,
    query_text: query.query_text,
    sources: query.sources,
    result_count: query.result_count,
    response_time_ms: Math.round(query.response_time_ms),
    cache_hit: query.cache_hit,
  });
  await sql`
    WITH logged AS (
      INSERT INTO query_log
        (query_id, owner, query_text, normalized, sources, mode, result_count, response_time_ms, cache_hit)
      VALUES (${query.query_id}, ${query.owner}, ${query.query_text}, ${query.normalized}, ${query.sources},
        ${query.mode}, ${query.result_count}, ${query.response_time_ms}, ${query.cache_hit})
    ), told AS (
      INSERT INTO event_log (event_id, name, owner, resource, workflow_id, data)
      VALUES (${uuidV5(`event:query/${query.query_id}`)}, 'query.executed', ${query.owner},
        ${`query:${query.query_id}`}, NULL, ${data}::jsonb)
      ON CONFLICT (event_id) DO NOTHING
    )
    SELECT pg_notify(${EVENTS_CHANNEL}, ''), set_config('synchronous_commit', 'off', true)
  `.execute(db);
}

/** Only the newest so many queries count as popular. */
const POPULAR_WINDOW = 10_000;
/** Only the newest so many of the caller's own are looked through for suggestions. */
const RECENT_WINDOW = 1_000;

/**
 * Texts that hold `part` (any case), at most `limit`: first the newest of `owner`, then the most frequent of `owners`
 * (null: all). One entry per text, as last written.
 */
export async function suggestQueries(
  db: Db,
  options: { owner: string; owners: readonly string[] | null; part: string; limit: number },
): Promise<string[]> {
  const pattern = `%${options.part
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .replace(/[\\%_]/g, '\\$&')}%`;
  const result = await sql<{ query_text: string }>`
    WITH own AS (
      SELECT normalized, query_text, at FROM query_log WHERE owner = ${options.owner} ORDER BY at DESC LIMIT ${RECENT_WINDOW}
    ), shared AS (
      SELECT normalized, query_text, at FROM query_log
      WHERE ${options.owners}::text[] IS NULL OR owner = ANY(${options.owners}::text[])
      ORDER BY at DESC LIMIT ${POPULAR_WINDOW}
    ), found AS (
      SELECT normalized, (array_agg(query_text ORDER BY at DESC))[1] AS query_text, 0 AS rank, max(at) AS newest, 0 AS uses
      FROM own WHERE normalized LIKE ${pattern} GROUP BY normalized
      UNION ALL
      SELECT normalized, (array_agg(query_text ORDER BY at DESC))[1], 1, max(at), count(*)
      FROM shared WHERE normalized LIKE ${pattern} GROUP BY normalized
    ), firsts AS (
      SELECT DISTINCT ON (normalized) * FROM found ORDER BY normalized, rank
    )
    SELECT query_text FROM firsts ORDER BY rank, uses DESC, newest DESC LIMIT ${options.limit}
  `.execute(db);
  return result.rows.map((row) => row.query_text);
}

export interface QueryHistory {
  recent: { query: string; sources: string[]; result_count: number; response_time_ms: number; at: Date }[];
  popular: { query: string; count: number }[];
  total: number;
  hits: number;
  cacheBytes: number;
}

/** The last ten, the ten most frequent, and totals over what the log holds, of `owners` (null: all). */
export async function readQueryHistory(db: Db, owners: readonly string[] | null): Promise<QueryHistory> {
  const seen = sql<boolean>`(${owners}::text[] IS NULL OR owner = ANY(${owners}::text[]))`;
  const [recent, popular, totals] = await Promise.all([
    sql<QueryHistory['recent'][number]>`
      SELECT query_text AS query, sources, result_count, response_time_ms, at FROM query_log WHERE ${seen}
      ORDER BY at DESC, query_id LIMIT 10
    `.execute(db),
    sql<QueryHistory['popular'][number]>`
      SELECT (array_agg(query_text ORDER BY at DESC))[1] AS query, count(*)::int AS count
      FROM (SELECT normalized, query_text, at FROM query_log WHERE ${seen} ORDER BY at DESC LIMIT ${POPULAR_WINDOW}) q
      GROUP BY normalized HAVING count(*) > 1 ORDER BY count(*) DESC, max(at) DESC LIMIT 10
    `.execute(db),
    sql<{ total: number; hits: number; bytes: number }>`
      SELECT count(*)::int AS total, (count(*) FILTER (WHERE cache_hit))::int AS hits,
        pg_total_relation_size('query_cache')::float8 AS bytes
      FROM query_log WHERE ${seen}
    `.execute(db),
  ]);
  const { total, hits, bytes } = totals.rows[0] ?? { total: 0, hits: 0, bytes: 0 };
  return { recent: recent.rows, popular: popular.rows, total, hits, cacheBytes: bytes };
}

/** Removes queries logged before `before`. Resolves with how many left. */
export async function pruneQueryLog(db: Db, before: Date): Promise<number> {
  const result = await db.deleteFrom('query_log').where('at', '<', before).executeTakeFirst();
  return Number(result.numDeletedRows);
}
