/** The read model of files: rows of `file_imports`, whose status only moves forward within an attempt. */
import { type Selectable, sql } from 'kysely';
import { Failure } from '../schema/failures.ts';
import type { FileView } from '../schema/files.ts';
import type { JsonObject } from '../schema/json.ts';
import type { FileStatus, Phase, Source } from '../schema/names.ts';
import type { Tables } from '../schema/tables.ts';
import type { Db, Trx } from './database.ts';

export type FileRow = Selectable<Tables['file_imports']>;

export interface NewFile {
  file_id: string;
  owner: string;
  workflow_id: string;
  filename: string;
  source_type: Source;
  size_bytes: number;
  sha256: string;
  object_key: string;
  metadata: JsonObject;
}

/** False when a live file of the same bytes is there; waits for one that is just being admitted. */
export async function insertFile(trx: Trx, file: NewFile): Promise<boolean> {
  const inserted = await trx
    .insertInto('file_imports')
    .values({ ...file, metadata: JSON.stringify(file.metadata) })
    .onConflict((conflict) => conflict.doNothing())
    .returning('file_id')
    .executeTakeFirst();
  return inserted !== undefined;
}

/** The live file of the same bytes, if any. */
export async function findSameBytes(
  db: Db | Trx,
  key: { owner: string; source_type: Source; sha256: string },
): Promise<FileRow | undefined> {
  return db
    .selectFrom('file_imports')
    .selectAll()
    .where('owner', '=', key.owner)
    .where('source_type', '=', key.source_type)
    .where('sha256', '=', key.sha256)
    .where('status', '<>', 'failed')
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
}

export async function findFile(db: Db | Trx, fileId: string): Promise<FileRow | undefined> {
  return db
    .selectFrom('file_imports')
    .selectAll()
    .where('file_id', '=', fileId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
}

/**
 * Locks the file for the transaction and checks that this attempt is still the one that counts.
 * Throws Failure('conflict') for an attempt that was given up, or a file that was deleted.
 */
export async function lockFile(trx: Trx, step: { file_id: string; attempt: number }): Promise<FileRow> {
  const row = await trx
    .selectFrom('file_imports')
    .selectAll()
    .where('file_id', '=', step.file_id)
    .forUpdate()
    .executeTakeFirst();
  if (!row || row.deleted_at !== null) throw new Failure('conflict', `File ${step.file_id} was deleted`);
  if (row.attempt !== step.attempt) throw new Failure('conflict', `Attempt ${step.attempt} was given up`);
  return row;
}

/** Fields that a step may set. `progress` never falls; a final status never changes. */
export interface FilePatch {
  status?: FileStatus;
  phase?: Phase;
  progress?: number;
  started_at?: Date;
  completed_at?: Date | null;
  total_records?: number;
  records_by_type?: Record<string, number>;
  vector_count?: number;
  error_count?: number;
  errors?: JsonObject[];
  error?: { code: string; detail: string } | null;
  checkpoint?: JsonObject | null;
  sha256?: string;
  size_bytes?: number;
  object_key?: string | null;
}

export async function patchFile(
  trx: Trx | Db,
  step: { file_id: string; attempt: number },
  patch: FilePatch,
): Promise<void> {
  const { progress, records_by_type, errors, error, checkpoint, total_records, vector_count, error_count, ...plain } =
    patch;
  await trx
    .updateTable('file_imports')
    .set({
      ...plain,
      ...(progress === undefined ? {} : { progress: sql<number>`greatest(progress, ${Math.floor(progress)})` }),
      ...(total_records === undefined ? {} : { total_records: String(total_records) }),
      ...(vector_count === undefined ? {} : { vector_count: String(vector_count) }),
      ...(error_count === undefined ? {} : { error_count: String(error_count) }),
      ...(records_by_type === undefined ? {} : { records_by_type: JSON.stringify(records_by_type) }),
      ...(errors === undefined ? {} : { errors: JSON.stringify(errors) }),
      ...(error === undefined ? {} : { error: JSON.stringify(error) }),
      ...(checkpoint === undefined ? {} : { checkpoint: JSON.stringify(checkpoint) }),
      updated_at: sql<Date>`now()`,
    })
    .where('file_id', '=', step.file_id)
    .where('attempt', '=', step.attempt)
    .where('deleted_at', 'is', null)
    .where('status', 'not in', ['completed', 'failed', 'cancelled'])
    .execute();
}

/** An import whose bytes have not arrived; until then its hash is a stand-in that equals no other. */
export const unfetchedHash = (fileId: string) => `pending:${fileId}`;
export const isUnfetched = (row: Pick<FileRow, 'sha256'>) => row.sha256.startsWith('pending:');

export function fileView(row: FileRow): FileView {
  return {
    file_id: row.file_id,
    workflow_id: row.workflow_id,
    filename: row.filename,
    source_type: row.source_type,
    size_bytes: Number(row.size_bytes),
    sha256: isUnfetched(row) ? '' : row.sha256,
    metadata: row.metadata,
    status: row.status,
    phase: row.phase,
    progress: row.progress,
    total_records: Number(row.total_records),
    records_by_type: row.records_by_type,
    vector_count: Number(row.vector_count),
    error_count: Number(row.error_count),
    errors: row.errors,
    error: row.error,
    created_at: row.created_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
  };
}
