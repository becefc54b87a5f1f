/** Closes tasks whose workflow is gone, so that their slots are free and their callers are told. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { FailureRecord, RunStatus } from '../../schema/tables.ts';
import { closeRun, type RunRow } from '../../stores/runs.ts';
import type { AttemptEnd } from '../../stores/task-ends.ts';
import { settleAttempt } from './settle.ts';

/** A report that was accepted before still counts; no other attempt is made, there is nobody who would make it. */
export async function closeDeadTask(
  deps: Deps,
  run: RunRow,
  status: RunStatus,
  error: FailureRecord | null,
): Promise<void> {
  const task = await deps.db
    .selectFrom('tasks')
    .select(['task_id', 'attempt'])
    .where('workflow_id', '=', run.workflow_id)
    .executeTakeFirst();
  const ending: AttemptEnd['ending'] =
    status === 'cancelled'
      ? { kind: 'cancelled' }
      : {
          kind: 'failed',
          error: error ?? { code: 'internal', detail: 'The workflow ended without a word' },
          retryable: false,
        };
  if (task) {
    const step = { ...task, workflow_id: run.workflow_id };
    try {
      let next = await settleAttempt(deps, step, { ending });
      while (next.status === 'retrying') {
        next = await settleAttempt(deps, { ...step, attempt: next.attempt }, { ending });
      }
    } catch (failure) {
      // Retried by hand meanwhile: it is another workflow's by now.
      if (!(failure instanceof Failure) || failure.code !== 'not_found') throw failure;
    }
  }
  await closeRun(deps.db, run.workflow_id, status, error);
}
