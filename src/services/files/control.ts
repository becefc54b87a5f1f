/** What a caller does to a file that is here: cancel, pause, resume, retry, delete. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { DeleteInput, ImportFrom, IngestInput } from '../../schema/ingestion.ts';
import { MESSAGES, WORKFLOWS } from '../../schema/names.ts';
import { type FileRow, findFile, isUnfetched } from '../../stores/files.ts';
import { findRun, insertRun, type NewRun } from '../../stores/runs.ts';
import { cancelRun, newWorkflowId, startAdmitted, updateRun } from '../engine.ts';
import { ingestRun } from './admit.ts';

const OVER = ['completed', 'failed', 'cancelled'];

/** Asks the ingestion to stop for good. Cancelling what is cancelled already is no error. */
export async function cancelFile(deps: Deps, file: FileRow): Promise<void> {
  if (file.status === 'cancelled') return;
  assertRunning(file, 'cancelled');
  await cancelRun(deps, file.workflow_id);
}

export async function pauseFile(deps: Deps, file: FileRow): Promise<void> {
  if (file.status === 'paused') return;
  assertRunning(file, 'paused');
  await updateRun(deps, file.workflow_id, MESSAGES.pause);
}

export async function resumeFile(deps: Deps, file: FileRow): Promise<void> {
  assertRunning(file, 'resumed');
  await updateRun(deps, file.workflow_id, MESSAGES.resume);
}

/**
 * A new attempt under a new workflow: of a failed or cancelled file whose bytes are still here, or of an import
 * whose bytes never arrived, which are fetched again.
 */
export async function retryFile(deps: Deps, file: FileRow): Promise<FileRow> {
  if (file.status !== 'failed' && file.status !== 'cancelled') {
    throw new Failure(
      'conflict',
      `File ${file.file_id} is ${file.status}; only a failed or cancelled one can be retried`,
    );
  }
  const from = await unfetched(deps, file);
  const stored = file.object_key !== null && (await deps.objects.stat(file.object_key)) !== null;
  if (!stored && from === null)
    throw new Failure(
      'conflict',
      `The bytes of file ${file.file_id} were at fault and are gone; upload a corrected file`,
    );
  const next = { ...file, workflow_id: newWorkflowId('ingest') };
  const attempt = file.attempt + 1;
  const run = ingestRun(next, attempt, from);
  await deps.db
    .transaction()
    .execute(async (trx) => {
      const changed = await trx
        .updateTable('file_imports')
        .set({
          workflow_id: next.workflow_id,
          attempt,
          ...(from === null ? {} : { object_key: `uploads/${file.file_id}` }),
          status: 'pending',
          phase: 'upload',
          progress: 0,
          total_records: '0',
          vector_count: '0',
          error_count: '0',
          errors: '[]',
          error: 'null',
          checkpoint: 'null',
          records_by_type: '{}',
          started_at: null,
          completed_at: null,
        })
        .where('file_id', '=', file.file_id)
        .where('attempt', '=', file.attempt)
        .where('deleted_at', 'is', null)
        .executeTakeFirst();
      if (changed.numUpdatedRows === 0n)
        throw new Failure('conflict', `File ${file.file_id} was retried or deleted by somebody else just now`);
      await insertRun(trx, run);
    })
    .catch((error) => {
      // The unique index over live bytes: while this one lay failed, the same bytes came in anew.
      if ((error as { constraint?: string }).constraint === 'file_imports_same_bytes') {
        throw new Failure('conflict', 'The same bytes were uploaded again meanwhile; use that file');
      }
      throw error;
    });
  await startAdmitted(deps, run);
  return (await findFile(deps.db, file.file_id)) ?? file;
}

/** Where an import still has to come from; null when its bytes arrived, or came as an upload. */
async function unfetched(deps: Deps, file: FileRow): Promise<ImportFrom | null> {
  if (!isUnfetched(file)) return null;
  const run = await findRun(deps.db, file.workflow_id);
  return (run?.input as IngestInput | undefined)?.import ?? null;
}

/** Hides the file at once and starts the workflow that takes everything out. */
export async function deleteFile(deps: Deps, file: FileRow): Promise<{ workflow_id: string }> {
  const workflow_id = newWorkflowId('delete');
  const input: DeleteInput = {
    file_id: file.file_id,
    owner: file.owner,
    source: file.source_type,
    ingest_workflow_id: file.workflow_id,
  };
  const run: NewRun = {
    workflow_id,
    type: WORKFLOWS.deleteFile,
    room: 'ingestion',
    owner: file.owner,
    source: file.source_type,
    resource: `file:${file.file_id}`,
    input: { ...input },
  };
  await deps.db.transaction().execute(async (trx) => {
    const hidden = await trx
      .updateTable('file_imports')
      .set({ deleted_at: new Date() })
      .where('file_id', '=', file.file_id)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    if (hidden.numUpdatedRows === 0n) throw new Failure('not_found', `No file ${file.file_id}`);
    await insertRun(trx, run);
  });
  await startAdmitted(deps, run);
  return { workflow_id };
}

function assertRunning(file: FileRow, what: string): void {
  if (OVER.includes(file.status))
    throw new Failure('conflict', `File ${file.file_id} is ${file.status} and cannot be ${what}`);
}
