/** Ends of a file other than completion: given up (failed or cancelled), and deleted. */
import type { Deps } from '../../deps.ts';
import { FAILURES, isFailureCode } from '../../schema/failures.ts';
import type { DeleteInput, Step } from '../../schema/ingestion.ts';
import type { FailureRecord } from '../../schema/tables.ts';
import { removeContent } from '../../stores/content-removal.ts';
import { appendEvents } from '../../stores/events.ts';
import { lockFile, patchFile } from '../../stores/files.ts';
import { closeRun, markRunStarted } from '../../stores/runs.ts';
import { keepAlive } from '../context.ts';
import { fileEvent } from './events.ts';

/** Links taken out in one transaction: a second's work, so that a kill costs no more. */
export const REMOVE_BATCH = 5_000;

export interface AbandonInput extends Step {
  status: 'failed' | 'cancelled';
  error: FailureRecord | null;
}

/**
 * Gives an attempt up: what it brought is taken out again, then the row says how it ended. The bytes stay for a
 * retry, unless they themselves are at fault. A file that is deleted or retried meanwhile is left alone.
 */
export async function abandonFile(deps: Deps, input: AbandonInput): Promise<void> {
  const stop = keepAlive(() => null);
  try {
    const found = await standing(deps, input);
    const live = found === 'live';
    if (live) await removeAll(deps, input);
    const dropBytes = live && input.status === 'failed' && atFault(input.error);
    const failed = await deps.db.transaction().execute(async (trx) => {
      // A step may notice the deletion before the cancellation reaches it: that is no failure of the run.
      const [status, error] = found === 'deleted' ? (['cancelled', null] as const) : [input.status, input.error];
      const closed = await closeRun(trx, input.workflow_id, status, error);
      const failed = closed && status === 'failed' ? error : null;
      if (!live) return failed;
      await lockFile(trx, input);
      await patchFile(trx, input, {
        status: input.status,
        error: input.error,
        total_records: 0,
        vector_count: 0,
        records_by_type: {},
        checkpoint: null,
        completed_at: new Date(),
        ...(dropBytes ? { object_key: null } : {}),
      });
      if (input.error && atFault(input.error)) {
        // Told under the same key as the valid verdict: whichever was told first stands.
        await appendEvents(trx, [
          fileEvent(input, 'validated', 'file.validation.completed', {
            file_id: input.file_id,
            valid: false,
            errors: [input.error.detail],
          }),
        ]);
      }
      return failed;
    });
    if (failed) deps.metrics.failures.inc({ room: 'ingestion', code: failed.code });
    if (dropBytes) await deps.objects.delete(`uploads/${input.file_id}`);
  } finally {
    stop();
  }
}

/** Whether the content, not the circumstances, made it fail: then a retry of the same bytes cannot help. */
export function atFault(error: FailureRecord | null): boolean {
  return error !== null && isFailureCode(error.code) && FAILURES[error.code].status === 422;
}

/** Whether this attempt still counts; `deleted` when its file was deleted meanwhile. */
async function standing(deps: Deps, step: Step): Promise<'live' | 'over' | 'deleted'> {
  const row = await deps.db
    .selectFrom('file_imports')
    .select(['attempt', 'deleted_at', 'status'])
    .where('file_id', '=', step.file_id)
    .executeTakeFirst();
  if (row === undefined || row.deleted_at !== null) return 'deleted';
  const over = row.attempt !== step.attempt || ['completed', 'failed', 'cancelled'].includes(row.status);
  return over ? 'over' : 'live';
}

/** Rows and vectors in batches; then the index lets go of the bytes too, so that what was deleted cannot be read. */
async function removeAll(deps: Deps, { file_id, owner, source }: Step | DeleteInput): Promise<void> {
  let removed = 0;
  for (;;) {
    const links = await removeContent(deps.db, deps.vectors, { file_id, owner, source }, REMOVE_BATCH);
    if (links === 0) break;
    removed += links;
  }
  if (removed > 0) await deps.vectors?.compact();
}

/** Stops the file's ingestion if it runs, and waits for its end so that nothing is written behind the removal. */
export async function stopIngestion(deps: Deps, input: DeleteInput & { workflow_id: string }): Promise<void> {
  await markRunStarted(deps.db, input.workflow_id);
  const stop = keepAlive(() => null);
  try {
    const handle = deps.temporal.workflow.getHandle(input.ingest_workflow_id);
    await handle.cancel();
    await handle.result();
  } catch {
    // Not there, already over, or cancelled as asked: all of them mean that it writes no more. Rows are fenced by
    // `deleted_at` in any case.
  } finally {
    stop();
  }
}

/** Removes rows, vectors and objects, then empties the row itself: only its id stays, as the tombstone. */
export async function removeFile(deps: Deps, input: DeleteInput & { workflow_id: string }): Promise<void> {
  const stop = keepAlive(() => null);
  try {
    await removeAll(deps, input);
    await deps.objects.delete(`uploads/${input.file_id}`);
    await deps.objects.deletePrefix(`runs/${input.ingest_workflow_id}/`);
    await deps.db.transaction().execute(async (trx) => {
      await trx
        .updateTable('file_imports')
        .set({
          filename: '',
          sha256: '',
          object_key: null,
          metadata: '{}',
          errors: '[]',
          error: 'null',
          checkpoint: 'null',
        })
        .where('file_id', '=', input.file_id)
        .execute();
      await closeRun(trx, input.ingest_workflow_id, 'cancelled', null);
      await closeRun(trx, input.workflow_id, 'completed', null);
    });
  } finally {
    stop();
  }
}
