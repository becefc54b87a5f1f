/** Starts what was admitted and never started, and closes rows whose workflow is gone. */
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { RunStatus } from '../../schema/tables.ts';
import { isUnreachable } from '../../schema/unknown-error.ts';
import { engineId, startRun } from '../../services/engine.ts';
import { closeDeadTask } from '../../services/tasks/close-dead.ts';
import { admitTasks } from '../../services/tasks/settle.ts';
import { closeRun, markRunStarted, openRunIds, openRunsOf, type RunRow } from '../../stores/runs.ts';
import { keepAlive } from '../context.ts';
import { closeDeadDelivery, closeDeadRun } from '../pipelines/dead-run.ts';

/** Younger rows may just be on their way through the API. */
const SETTLED_AFTER_MS = 60_000;
const AT_ONCE = 500;

const CLOSED: Record<string, RunStatus> = {
  COMPLETED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed_out',
};

export interface Reconciled {
  started: number;
  closed: number;
  looked_at: number;
}

/**
 * Refuses to act when the engine is not the one these rows were admitted for: an empty engine would make every
 * running row look gone. A workflow the engine does not answer for is left as it is.
 */
export async function reconcileRuns(deps: Deps): Promise<Reconciled> {
  const stop = keepAlive(() => null);
  try {
    await assertSameEngine(deps);
    const ids = await openRunIds(deps.db, new Date(Date.now() - SETTLED_AFTER_MS));
    const done = { started: 0, closed: 0, looked_at: ids.length };
    // All of them: those that wait for long must not hide those that came after them.
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      for (const row of await openRunsOf(deps.db, ids.slice(from, from + AT_ONCE))) {
        const outcome = await reconcileOne(deps, row).catch((err: unknown) => {
          if (isUnreachable(err)) throw err;
          // One that cannot be mended is no reason to leave the others as they are.
          deps.log.error({ err, workflow_id: row.workflow_id }, 'a workflow could not be reconciled');
          return undefined;
        });
        if (outcome) done[outcome] += 1;
      }
    }
    await admitTasks(deps);
    return done;
  } finally {
    stop();
  }
}

async function reconcileOne(deps: Deps, row: RunRow): Promise<'started' | 'closed' | undefined> {
  try {
    const { status } = await deps.temporal.workflow.getHandle(row.workflow_id).describe();
    const closed = CLOSED[status.name];
    if (closed === undefined) {
      if (row.status === 'pending') await markRunStarted(deps.db, row.workflow_id);
      return undefined;
    }
    await closeBoth(deps, row, closed);
    return 'closed';
  } catch (error) {
    // Only a clear "not found" says anything; "unavailable" is thrown on and tried again by the next run.
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    if (row.status !== 'pending') {
      await closeBoth(deps, row, 'terminated');
      return 'closed';
    }
    await startRun(deps, row);
    return 'started';
  }
}

/** The run's row, and the file it worked on where the workflow had no chance to say how it ended. */
async function closeBoth(deps: Deps, row: RunRow, status: RunStatus): Promise<void> {
  const error =
    status === 'completed' ? null : { code: 'internal', detail: `The workflow ended as ${status.replace('_', ' ')}` };
  if (row.type === 'runTask') return closeDeadTask(deps, row, status, error);
  if (row.type === 'runPipeline') return closeDeadRun(deps, row, status, error);
  if (row.type === 'deliverNotification') return closeDeadDelivery(deps, row, status, error);
  const isNew = await deps.db.transaction().execute(async (trx) => {
    const isNew = await closeRun(trx, row.workflow_id, status, error);
    if (row.type !== 'ingestFile' || status === 'completed') return isNew;
    await trx
      .updateTable('file_imports')
      .set({
        status: status === 'cancelled' ? 'cancelled' : 'failed',
        error: JSON.stringify(error),
        completed_at: new Date(),
      })
      .where('workflow_id', '=', row.workflow_id)
      .where('status', 'in', ['pending', 'processing', 'paused'])
      .execute();
    return isNew;
  });
  if (isNew && error && status !== 'cancelled') deps.metrics.failures.inc({ room: row.room, code: error.code });
}

async function assertSameEngine(deps: Deps): Promise<void> {
  const installation = await deps.db.selectFrom('installation').select('engine_id').executeTakeFirstOrThrow();
  const engine = await engineId(deps);
  if (installation.engine_id !== engine) {
    throw new Failure(
      'conflict',
      `This Postgres belongs to Temporal namespace ${installation.engine_id}, not ${engine}; nothing was reconciled`,
    );
  }
}
