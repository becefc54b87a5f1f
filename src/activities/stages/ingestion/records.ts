/** Records that were ingested before, as a file: of one owner, or of all for who may see all. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { Failure } from '../../../schema/failures.ts';
import type { IngestionConfig } from '../../../schema/stages/ingestion.ts';
import type { Job } from '../job.ts';
import type { SourceFile } from './sources.ts';

/** Columns of the file and their types for the engine. */
export const RECORD_COLUMNS: Record<string, string> = {
  record_id: 'VARCHAR',
  source_type: 'VARCHAR',
  account: 'VARCHAR',
  content_type: 'VARCHAR',
  external_id: 'VARCHAR',
  parent_id: 'VARCHAR',
  title: 'VARCHAR',
  text: 'VARCHAR',
  author: 'VARCHAR',
  occurred_at: 'TIMESTAMP WITH TIME ZONE',
  url: 'VARCHAR',
  metadata: 'VARCHAR',
};
export const RECORD_NULL = '\\N';

/** Writes the chosen records as CSV, by id, so that the same records give the same bytes. */
export async function recordsFile(
  job: Job<unknown>,
  wanted: NonNullable<IngestionConfig['records']>,
): Promise<SourceFile> {
  const where = [
    job.request.all_owners ? '' : `owner = ${pg.escapeLiteral(job.request.owner)}`,
    among('source_type', wanted.sources),
    among('content_type', wanted.content_types),
    wanted.from === undefined ? '' : `occurred_at >= ${pg.escapeLiteral(wanted.from)}::timestamptz`,
    wanted.to === undefined ? '' : `occurred_at < ${until(wanted.to)}`,
  ].filter(Boolean);
  const columns = Object.keys(RECORD_COLUMNS).map((column) =>
    column === 'occurred_at' ? `occurred_at AT TIME ZONE 'UTC' AS occurred_at` : column,
  );
  const query = `COPY (SELECT ${columns.join(', ')} FROM parsed_content ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''} ORDER BY record_id ${
    wanted.limit === undefined ? '' : `LIMIT ${wanted.limit}`
  }) TO STDOUT (FORMAT csv, HEADER, NULL '${RECORD_NULL}', FORCE_QUOTE (title, text, author, url, metadata, account, external_id, parent_id))`;
  const path = join(job.workspace.folder, 'in', 'records.csv');
  const client = await job.deps.pool.connect();
  try {
    await pipeline(client.query(copyTo(query)), createWriteStream(path), { signal: job.signal });
    client.release();
  } catch (error) {
    // The connection is in the middle of a COPY: nobody else may get it.
    client.release(true);
    job.signal.throwIfAborted();
    throw new Failure('unavailable', 'The records could not be read', { cause: error });
  }
  return { path, label: 'records' };
}

function among(column: string, values: readonly string[] | undefined): string {
  return values === undefined ? '' : `${column} IN (${values.map((value) => pg.escapeLiteral(value)).join(', ')})`;
}

/** A date means until its end in UTC, as in searches. */
function until(moment: string): string {
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(moment);
  return isDate
    ? `(${pg.escapeLiteral(moment)}::date + 1)::timestamp AT TIME ZONE 'UTC'`
    : `${pg.escapeLiteral(moment)}::timestamptz`;
}
