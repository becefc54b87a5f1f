/** Records in Postgres: loading a batch, counting, reading what lacks a vector, and taking out what a file brought. */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { sql } from 'kysely';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { ContentType, Source } from '../schema/names.ts';
import type { Db, Trx } from './database.ts';

/** Columns of a COPY row, in order. `stores/copy-rows.ts` writes them. */
export const COPY_COLUMNS =
  'ordinal, record_id, account, content_type, external_id, parent_id, title, text, author, participants, occurred_at, url, metadata, content_hash';

/**
 * One lock for all content of an owner and source: batches that add share it, a removal holds it alone, so that no
 * record is taken out while another file is just bringing it. Held to the end of the transaction.
 */
const contentLockKey = (owner: string, source: Source) => sql`hashtextextended(${`content:${owner}:${source}`}, 0)`;

export async function lockContent(
  trx: Trx,
  owner: string,
  source: Source,
  mode: 'shared' | 'exclusive',
): Promise<void> {
  const key = contentLockKey(owner, source);
  await (mode === 'shared'
    ? sql`SELECT pg_advisory_xact_lock_shared(${key})`
    : sql`SELECT pg_advisory_xact_lock(${key})`
  ).execute(trx);
}

/**
 * Loads COPY text (see `copyRow`) into the staging table of this connection and merges it: new records are
 * inserted, changed ones replaced, unchanged ones left alone, and each is linked to the file. Runs inside the
 * caller's transaction on `client`; the staging table is emptied when that ends.
 */
export async function loadBatch(
  client: PoolClient,
  rows: Uint8Array,
  file: { file_id: string; attempt: number; owner: string; source: Source },
): Promise<void> {
  // Temporary: no WAL, no other session, gone with the connection.
  await client.query(`
    CREATE TEMPORARY TABLE IF NOT EXISTS content_staging (
      ordinal int, record_id uuid, account text, content_type text, external_id text, parent_id text, title text,
      text text, author text, participants text[], occurred_at timestamptz, url text, metadata jsonb, content_hash uuid
    ) ON COMMIT DELETE ROWS`);
  await pipeline(Readable.from([rows]), client.query(copyFrom(`COPY content_staging (${COPY_COLUMNS}) FROM STDIN`)));
  await client.query({
    name: 'merge-content',
    // Ordered by id, so that two files with the same records never wait for each other crosswise; the last
    // of two equal ids in a batch wins, as it would in two batches.
    text: `
      INSERT INTO parsed_content AS kept (record_id, owner, source_type, account, content_type, external_id, parent_id,
        title, text, author, participants, occurred_at, url, metadata, content_hash)
      SELECT DISTINCT ON (record_id) record_id, $1, $2, account, content_type, external_id, parent_id,
        title, text, author, participants, occurred_at, url, metadata, content_hash
      FROM content_staging ORDER BY record_id, ordinal DESC
      ON CONFLICT (record_id) DO UPDATE SET
        parent_id = excluded.parent_id, title = excluded.title, text = excluded.text, author = excluded.author,
        participants = excluded.participants, occurred_at = excluded.occurred_at, url = excluded.url,
        metadata = excluded.metadata, content_hash = excluded.content_hash, updated_at = now()
      WHERE kept.content_hash <> excluded.content_hash`,
    values: [file.owner, file.source],
  });
  await client.query({
    name: 'link-content',
    text: `
      INSERT INTO file_records (file_id, record_id, attempt)
      SELECT DISTINCT $1::uuid, record_id, $2::int FROM content_staging ORDER BY record_id
      ON CONFLICT (file_id, record_id) DO UPDATE SET attempt = excluded.attempt WHERE file_records.attempt <> excluded.attempt`,
    values: [file.file_id, file.attempt],
  });
}

export interface FileCounts {
  total: number;
  vectors: number;
  by_type: Record<string, number>;
}

/** Counts what a file holds from the rows themselves. */
export async function countRecords(db: Db | Trx, fileId: string): Promise<FileCounts> {
  const rows = await db
    .selectFrom('file_records as link')
    .innerJoin('parsed_content as record', 'record.record_id', 'link.record_id')
    .select(['record.content_type'])
    .select(sql<string>`count(*)`.as('total'))
    .select(sql<string>`count(*) FILTER (WHERE record.vector_hash = record.content_hash)`.as('vectors'))
    .where('link.file_id', '=', fileId)
    .groupBy('record.content_type')
    .execute();
  return {
    total: rows.reduce((sum, row) => sum + Number(row.total), 0),
    vectors: rows.reduce((sum, row) => sum + Number(row.vectors), 0),
    by_type: Object.fromEntries(rows.map((row) => [row.content_type, Number(row.total)]).sort()),
  };
}

export interface Unindexed {
  record_id: string;
  owner: string;
  source_type: Source;
  content_type: ContentType;
  title: string | null;
  text: string;
  author: string | null;
  occurred_at: Date | null;
  content_hash: string;
}

/** Records of a file after `after` whose vector is missing or older than their text, by id. */
export async function readUnindexed(db: Db, fileId: string, after: string | null, limit: number): Promise<Unindexed[]> {
  return db
    .selectFrom('file_records as link')
    .innerJoin('parsed_content as record', 'record.record_id', 'link.record_id')
    .select([
      'record.record_id',
      'record.owner',
      'record.source_type',
      'record.content_type',
      'record.title',
      'record.text',
      'record.author',
      'record.occurred_at',
      'record.content_hash',
    ])
    .where('link.file_id', '=', fileId)
    .where('link.record_id', '>', after ?? '00000000-0000-0000-0000-000000000000')
    .where(sql<boolean>`record.vector_hash IS DISTINCT FROM record.content_hash`)
    .orderBy('link.record_id')
    .limit(limit)
    .execute();
}

/** Notes that these records' vectors are in the index; a record whose text changed meanwhile stays unmarked. */
export async function markIndexed(trx: Trx, records: { record_id: string; content_hash: string }[]): Promise<void> {
  await sql`
    UPDATE parsed_content AS record SET vector_hash = done.hash
    FROM unnest(${records.map((r) => r.record_id)}::uuid[], ${records.map((r) => r.content_hash)}::uuid[]) AS done (id, hash)
    WHERE record.record_id = done.id AND record.content_hash = done.hash`.execute(trx);
}

/** Which of these records still say what they said when they were read, and so may be written to the index. */
export async function stillCurrent(
  trx: Trx,
  records: { record_id: string; content_hash: string }[],
): Promise<Set<string>> {
  const result = await sql<{ record_id: string }>`
    SELECT record.record_id FROM parsed_content AS record
    JOIN unnest(${records.map((r) => r.record_id)}::uuid[], ${records.map((r) => r.content_hash)}::uuid[]) AS seen (id, hash)
      ON record.record_id = seen.id AND record.content_hash = seen.hash`.execute(trx);
  return new Set(result.rows.map((row) => row.record_id));
}
