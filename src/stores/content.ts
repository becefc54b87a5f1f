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
  'record_id, owner, source_type, account, content_type, external_id, parent_id, title, text, author, participants, occurred_at, url, metadata, content_hash';

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

export interface CopyRows {
  /** COPY text for `COPY_COLUMNS`, one line a record, ordered by record id, no id twice. */
  rows: Uint8Array;
  /** The record ids of the lines, in their order. */
  ids: string[];
}

/** What a connection answers when a row of that key is there already. */
const UNIQUE_VIOLATION = '23505';

export type Loader = (client: PoolClient, batch: CopyRows, file: { file_id: string; attempt: number }) => Promise<void>;

/**
 * Makes the loader of one file. It brings a batch's records in: new ones are inserted, changed ones replaced, unchanged
 * ones left alone, and each is linked to the file. Runs inside the caller's transaction on `client`.
 *
 * A first export is all new, so batches are copied straight into the tables, half again as fast as a merge, until one
 * meets a record that is there already; from then on this file's batches are merged.
 */
export function createLoader(): Loader {
  let allNew = true;
  return async (client, batch, file) => {
    if (allNew) {
      allNew = await copyNew(client, batch, file);
      if (allNew) return;
    }
    await mergeRows(client, batch);
    await mergeLinks(client, batch, file);
  };
}

/** False, and nothing done, when one of the records or links was there already. */
async function copyNew(
  client: PoolClient,
  batch: CopyRows,
  file: { file_id: string; attempt: number },
): Promise<boolean> {
  await client.query('SAVEPOINT copy_new');
  try {
    await copyInto(client, `parsed_content (${COPY_COLUMNS})`, batch.rows);
    const links = batch.ids.map((id) => `${file.file_id}\t${id}\t${file.attempt}\n`).join('');
    await copyInto(client, 'file_records (file_id, record_id, attempt)', Buffer.from(links));
    await client.query('RELEASE SAVEPOINT copy_new');
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error;
    await client.query('ROLLBACK TO SAVEPOINT copy_new');
    return false;
  }
}

async function mergeLinks(
  client: PoolClient,
  batch: CopyRows,
  file: { file_id: string; attempt: number },
): Promise<void> {
  await client.query({
    name: 'merge-links',
    text: `
      INSERT INTO file_records (file_id, record_id, attempt)
      SELECT $1::uuid, id, $2::int FROM unnest($3::uuid[]) AS id
      ON CONFLICT (file_id, record_id) DO UPDATE SET attempt = excluded.attempt WHERE file_records.attempt <> excluded.attempt`,
    values: [file.file_id, file.attempt, batch.ids],
  });
}

async function mergeRows(client: PoolClient, batch: CopyRows): Promise<void> {
  // Temporary: no WAL, no other session, gone with the connection.
  await client.query(`
    CREATE TEMPORARY TABLE IF NOT EXISTS content_staging (
      record_id uuid, owner text, source_type text, account text, content_type text, external_id text, parent_id text,
      title text, text text, author text, participants text[], occurred_at timestamptz, url text, metadata jsonb,
      content_hash uuid
    ) ON COMMIT DELETE ROWS`);
  await copyInto(client, `content_staging (${COPY_COLUMNS})`, batch.rows);
  // In the order of the ids, so that two files with the same records never wait for each other crosswise.
  await client.query({
    name: 'merge-content',
    text: `
      INSERT INTO parsed_content AS kept (${COPY_COLUMNS}) SELECT ${COPY_COLUMNS} FROM content_staging
      ON CONFLICT (record_id) DO UPDATE SET
        parent_id = excluded.parent_id, title = excluded.title, text = excluded.text, author = excluded.author,
        participants = excluded.participants, occurred_at = excluded.occurred_at, url = excluded.url,
        metadata = excluded.metadata, content_hash = excluded.content_hash, updated_at = now()
      WHERE kept.content_hash <> excluded.content_hash`,
  });
}

async function copyInto(client: PoolClient, target: string, rows: Uint8Array): Promise<void> {
  await pipeline(Readable.from([rows]), client.query(copyFrom(`COPY ${target} FROM STDIN`)));
}

export async function hasRecords(db: Db | Trx, fileId: string): Promise<boolean> {
  const row = await db
    .selectFrom('file_records')
    .select('record_id')
    .where('file_id', '=', fileId)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export interface FileCounts {
  total: number;
  /** Records that have a vector; it may be of an older text while another file that shares the record is coming in. */
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
    .select(sql<string>`count(record.vector_hash)`.as('vectors'))
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

/**
 * Which of these records still say what they said when they were read, and so may be written to the index. They stay
 * so until the transaction ends: else a slow writer could put an old vector over a newer one. Locked in the order of
 * their ids, as loading does.
 */
export async function stillCurrent(
  trx: Trx,
  records: { record_id: string; content_hash: string }[],
): Promise<Set<string>> {
  const result = await sql<{ record_id: string }>`
    SELECT record.record_id FROM parsed_content AS record
    JOIN unnest(${records.map((r) => r.record_id)}::uuid[], ${records.map((r) => r.content_hash)}::uuid[]) AS seen (id, hash)
      ON record.record_id = seen.id AND record.content_hash = seen.hash
    ORDER BY record.record_id FOR NO KEY UPDATE OF record`.execute(trx);
  return new Set(result.rows.map((row) => row.record_id));
}
