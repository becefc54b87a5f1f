/** Search over the rows of parsed_content: words and how common they are, candidates, visibility, the page itself. */
import { type RawBuilder, sql } from 'kysely';
import type { RecordView } from '../schema/files.ts';
import type { ContentType, Source } from '../schema/names.ts';
import type { Db, Trx } from './database.ts';

/** What rows a search may see. Null: no limit. Every query here applies all of it. */
export interface ContentFilter {
  owners: readonly string[] | null;
  sources: readonly Source[] | null;
  contentTypes: readonly ContentType[] | null;
  author: string | null;
  /** Inclusive. */
  from: Date | null;
  /** Exclusive. */
  to: Date | null;
}

export interface Word {
  word: string;
  /** As tsquery text: the stem or the word as written, since authors are indexed unstemmed. Null for stop words. */
  query: string | null;
  /** Rows that hold it, counted up to `COUNT_BOUND`. */
  rows: number;
}

/** Counting stops here: beyond it a word is common, and how common no longer matters. */
export const COUNT_BOUND = 2_000;

/** How Postgres' English dictionary reads each word, and how many rows of all owners hold it. */
export async function readWords(db: Db | Trx, words: readonly string[]): Promise<Word[]> {
  const result = await sql<Word>`
    SELECT w.word, nullif(q.query::text, '') AS query, c.rows::int AS rows
    FROM unnest(${words}::text[]) AS w(word)
    CROSS JOIN LATERAL (
      SELECT CASE WHEN numnode(plainto_tsquery('english', w.word)) = 0 THEN ''::tsquery
        ELSE plainto_tsquery('english', w.word) || plainto_tsquery('simple', w.word) END AS query
    ) AS q
    CROSS JOIN LATERAL (
      SELECT count(*) AS rows FROM (
        SELECT 1 FROM parsed_content p WHERE p.tsv @@ q.query LIMIT ${COUNT_BOUND}
      ) AS bounded
    ) AS c
  `.execute(db);
  return result.rows;
}

/** Rows of all owners, from the planner's statistics: an estimate that costs nothing. */
export async function estimateRows(db: Db | Trx): Promise<number> {
  const result = await sql<{ rows: number }>`
    SELECT greatest(reltuples, 0)::float8 AS rows FROM pg_class WHERE oid = 'parsed_content'::regclass
  `.execute(db);
  return result.rows[0]?.rows ?? 0;
}

/** A query in the caller's own syntax (quotes, `or`, `-`) as tsquery text; null where nothing but stop words is left. */
export async function readWebQuery(db: Db | Trx, text: string): Promise<string | null> {
  // With a negation only the stemmed reading counts: the other would let in what the first keeps out.
  const result = await sql<{ query: string | null }>`
    SELECT nullif((CASE WHEN english::text LIKE '%!%' THEN english ELSE english || simple END)::text, '') AS query
    FROM (SELECT websearch_to_tsquery('english', ${text}) AS english, websearch_to_tsquery('simple', ${text}) AS simple) q
    WHERE numnode(english) > 0
  `.execute(db);
  return result.rows[0]?.query ?? null;
}

export interface Weighted {
  query: string;
  weight: number;
}

/** Weights of the four classes D, C (author), B (text), A (title) in a term's rank. */
const FIELD_WEIGHTS = '{0.1, 0.5, 0.6, 1.0}';

/**
 * Up to `limit` rows that match `match` and not `except`, best first. The score adds up each term's saturating
 * frequency (ts_rank) times its weight, damped by length, with up to as much again where the terms of
 * `near` stand close together (ts_rank_cd). Which rows are ranked when more than `limit` match is up to the database.
 */
export async function rankCandidates(
  db: Db | Trx,
  options: {
    match: string;
    except: string | null;
    near: string | null;
    terms: readonly Weighted[];
    filter: ContentFilter;
    limit: number;
  },
): Promise<{ id: string; score: number }[]> {
  const { match, except, near, terms, filter, limit } = options;
  const closeness =
    near === null ? sql`` : sql`* (1 + least(1, ts_rank_cd(${FIELD_WEIGHTS}::real[], c.tsv, ${near}::tsquery)))`;
  const exclusion = except === null ? sql`` : sql`AND NOT p.tsv @@ ${except}::tsquery`;
  const result = await sql<{ id: string; score: number }>`
    WITH candidates AS MATERIALIZED (
      SELECT p.record_id, p.tsv FROM parsed_content p
      WHERE p.tsv @@ ${match}::tsquery ${exclusion} ${conditions(filter)}
      LIMIT ${limit}
    )
    SELECT c.record_id AS id, (
      (SELECT sum(t.weight * ts_rank(${FIELD_WEIGHTS}::real[], c.tsv, t.query::tsquery))
       FROM unnest(${terms.map((term) => term.query)}::text[], ${terms.map((term) => term.weight)}::float8[]) AS t(query, weight))
      / (1 + 0.2::float8 * ln(1 + length(c.tsv)::float8 / 10))
      ${closeness}
    )::float8 AS score
    FROM candidates c
    ORDER BY score DESC, id
  `.execute(db);
  return result.rows;
}

/** Newest rows first, for a search that has no words left. */
export async function newestRows(db: Db | Trx, filter: ContentFilter, limit: number): Promise<string[]> {
  const result = await sql<{ id: string }>`
    SELECT p.record_id AS id FROM parsed_content p WHERE p.occurred_at IS NOT NULL ${conditions(filter)}
    ORDER BY p.occurred_at DESC, p.record_id LIMIT ${limit}
  `.execute(db);
  return result.rows.map((row) => row.id);
}

/** Those of `ids` that exist and pass the filter. */
export async function visibleRows(db: Db | Trx, ids: readonly string[], filter: ContentFilter): Promise<Set<string>> {
  const result = await sql<{ id: string }>`
    SELECT p.record_id AS id FROM parsed_content p WHERE p.record_id = ANY(${ids}::uuid[]) ${conditions(filter)}
  `.execute(db);
  return new Set(result.rows.map((row) => row.id));
}

export interface FoundRow {
  id: string;
  source_type: Source;
  content_type: ContentType;
  title: string | null;
  text: string;
  /** Parts of the text with matches between U+0002 and U+0003, and U+0001 in place of `<`. */
  marked: string;
  author: string | null;
  occurred_at: Date | null;
  url: string | null;
  file_id: string | null;
}

/** Longer texts are searched for matches to mark in this much of their beginning. */
const MARKED_CHARACTERS = 20_000;
const HEADLINE = 'StartSel=\u0002, StopSel=\u0003, MaxFragments=3, MaxWords=35, MinWords=12, FragmentDelimiter=" … "';

/** The rows of one page in the order of `ids`; those that left meanwhile are absent. `match` null: nothing to mark. */
export async function readPage(
  db: Db | Trx,
  ids: readonly string[],
  options: { filter: ContentFilter; match: string | null; textCharacters: number },
): Promise<FoundRow[]> {
  // Postgres takes `<b>` for a tag and drops it from a headline: the character is put aside before.
  const plain = sql`translate(left(p.text, ${MARKED_CHARACTERS}), E'<\\x01\\x02\\x03', E'\\x01')`;
  const marked =
    options.match === null
      ? sql`left(${plain}, 300)`
      : sql`ts_headline('english', ${plain}, ${options.match}::tsquery, ${HEADLINE})`;
  const result = await sql<FoundRow>`
    SELECT p.record_id AS id, p.source_type, p.content_type, p.title, left(p.text, ${options.textCharacters}) AS text,
      ${marked} AS marked, p.author, p.occurred_at, p.url,
      (SELECT f.file_id FROM file_records f WHERE f.record_id = p.record_id LIMIT 1) AS file_id
    FROM unnest(${ids}::uuid[]) WITH ORDINALITY AS page(record_id, place)
    JOIN parsed_content p ON p.record_id = page.record_id
    WHERE true ${conditions(options.filter)}
    ORDER BY page.place
  `.execute(db);
  return result.rows;
}

function conditions(filter: ContentFilter): RawBuilder<unknown> {
  const parts: RawBuilder<unknown>[] = [];
  if (filter.owners) parts.push(sql`AND p.owner = ANY(${filter.owners}::text[])`);
  if (filter.sources) parts.push(sql`AND p.source_type = ANY(${filter.sources}::text[])`);
  if (filter.contentTypes) parts.push(sql`AND p.content_type = ANY(${filter.contentTypes}::text[])`);
  if (filter.author) parts.push(sql`AND p.author = ${filter.author}`);
  if (filter.from) parts.push(sql`AND p.occurred_at >= ${filter.from}`);
  if (filter.to) parts.push(sql`AND p.occurred_at < ${filter.to}`);
  return sql.join(parts, sql` `);
}

/** One record of `owners` (null: anybody's), or null. */
export async function findRecord(
  db: Db | Trx,
  recordId: string,
  owners: readonly string[] | null,
): Promise<RecordView | null> {
  let query = db.selectFrom('parsed_content').selectAll().where('record_id', '=', recordId);
  if (owners) query = query.where('owner', 'in', [...owners]);
  const row = await query.executeTakeFirst();
  if (!row) return null;
  const { source_type, content_type, external_id, account, parent_id, title, text } = row;
  const { author, participants, occurred_at, url, metadata } = row;
  return {
    id: row.record_id,
    ...{ source_type, content_type, external_id, account, parent_id, title, text },
    ...{ author, participants, occurred_at: occurred_at?.toISOString() ?? null, url, metadata },
  };
}
