/** Pages of files and of a file's records, by keyset cursor. */
import { sql } from 'kysely';
import type { RecordView } from '../schema/files.ts';
import type { ContentType, FileStatus, Source } from '../schema/names.ts';
import { decodeCursor, pageFrom } from './cursor.ts';
import type { Db } from './database.ts';
import type { FileRow } from './files.ts';

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
  truncated: boolean;
}

export interface FileListQuery {
  /** Null: every owner's. */
  owners: string[] | null;
  /** File ids that the caller was granted one by one. */
  granted: string[];
  status?: FileStatus | undefined;
  source_type?: Source | undefined;
  limit: number;
  cursor?: string | undefined;
}

export async function listFiles(db: Db, query: FileListQuery): Promise<Page<FileRow>> {
  let rows = db.selectFrom('file_imports').selectAll().where('deleted_at', 'is', null);
  const { owners, granted, status, source_type } = query;
  if (owners !== null) {
    rows = rows.where((eb) =>
      eb.or([eb('owner', 'in', owners), ...(granted.length > 0 ? [eb('file_id', 'in', granted)] : [])]),
    );
  }
  if (status) rows = rows.where('status', '=', status);
  if (source_type) rows = rows.where('source_type', '=', source_type);
  const after = decodeCursor(query.cursor, 2);
  if (after) rows = rows.where(sql<boolean>`(created_at, file_id) < (${after[0]}::timestamptz, ${after[1]}::uuid)`);
  const found = await rows
    .select(sql<string>`created_at::text`.as('position'))
    .orderBy('created_at', 'desc')
    .orderBy('file_id', 'desc')
    .limit(query.limit + 1)
    .execute();
  return pageFrom(found, query.limit, (row) => [row.position, row.file_id]);
}

export async function listRecords(
  db: Db,
  query: { file_id: string; content_type?: ContentType | undefined; limit: number; cursor?: string | undefined },
): Promise<Page<RecordView>> {
  const after = decodeCursor(query.cursor, 1);
  let rows = db
    .selectFrom('file_records as link')
    .innerJoin('parsed_content as record', 'record.record_id', 'link.record_id')
    .select([
      'record.record_id as id',
      'record.source_type',
      'record.content_type',
      'record.external_id',
      'record.account',
      'record.parent_id',
      'record.title',
      'record.text',
      'record.author',
      'record.participants',
      'record.occurred_at',
      'record.url',
      'record.metadata',
    ])
    .where('link.file_id', '=', query.file_id);
  if (query.content_type) rows = rows.where('record.content_type', '=', query.content_type);
  if (after) rows = rows.where(sql<boolean>`link.record_id > ${after[0]}::uuid`);
  const found = await rows
    .orderBy('link.record_id')
    .limit(query.limit + 1)
    .execute();
  const page = pageFrom(found, query.limit, (row) => [row.id]);
  return { ...page, items: page.items.map((row) => ({ ...row, occurred_at: row.occurred_at?.toISOString() ?? null })) };
}
