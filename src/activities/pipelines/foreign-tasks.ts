/** Tasks of a run that its workflow has not started itself: waited for, and stopped with the run. */
import { CancelledFailure, Context } from '@temporalio/activity';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { RunRef } from '../../schema/pipeline-flow.ts';
import { cancelTask } from '../../services/tasks/control.ts';
import { LIVE_RUNS } from '../../stores/pipeline-runs.ts';
import { findTask, type TaskRow } from '../../stores/tasks.ts';
import { keepAlive } from '../context.ts';

/** After so long it ends, and the workflow asks again: a task may stand in the queue for days. */
const WAIT_MS = 50 * 60_000;
/** The engine is asked until the task's workflow ends; its row, which counts, at least this often. */
const LOOK_MS = 30_000;
/** Between a workflow that ended and a row that does not say so yet: the reconciler closes it. */
const PAUSE_MS = 1_000;

/** Resolves when the task is over, or may be: whoever waits looks at its row, and asks again while it is open. */
export async function awaitStageTask(deps: Deps, { task_id }: { task_id: string }): Promise<void> {
  const { cancellationSignal } = Context.current();
  const stop = keepAlive(() => null);
  try {
    for (const until = Date.now() + WAIT_MS; Date.now() < until; ) {
      const task = await findTask(deps.db, task_id);
      if (!task || task.phase === 'closed') return;
      if (await untilEnded(deps, task, cancellationSignal)) continue;
      await Context.current().sleep(PAUSE_MS);
    }
  } catch (error) {
    throw cancellationSignal.aborted ? new CancelledFailure('cancelled') : error;
  } finally {
    stop();
  }
}

/** Whether the row says so by the time the workflow has ended, or been asked long enough. */
async function untilEnded(deps: Deps, { workflow_id, task_id }: TaskRow, cancelled: AbortSignal): Promise<boolean> {
  const signal = AbortSignal.any([cancelled, AbortSignal.timeout(LOOK_MS)]);
  const { temporal } = deps;
  // How it ended stands in its row; that it cannot be asked is no reason to give up.
  await temporal
    .withAbortSignal(signal, () => temporal.workflow.getHandle(workflow_id).result())
    .catch(() => undefined);
  cancelled.throwIfAborted();
  return (await findTask(deps.db, task_id))?.phase === 'closed';
}

/**
 * Stops what is still open of a run that ends: a task whose workflow somebody else started, or nobody yet, does not end
 * with the workflow of the run. Nothing happens to tasks of a later attempt.
 */
export async function stopTasksOf(deps: Deps, { run_id, workflow_id }: RunRef): Promise<void> {
  const open = await deps.db
    .selectFrom('tasks')
    .innerJoin('pipeline_runs', 'pipeline_runs.run_id', 'tasks.run_id')
    .selectAll('tasks')
    .where('tasks.run_id', '=', run_id)
    .where('tasks.phase', '<>', 'closed')
    .where('pipeline_runs.workflow_id', '=', workflow_id)
    .where('pipeline_runs.status', 'in', LIVE_RUNS)
    .execute();
  for (const task of open) {
    await cancelTask(deps, task).catch((error: unknown) => {
      // It ended meanwhile.
      if (!(error instanceof Failure) || error.code !== 'conflict') throw error;
    });
  }
}
