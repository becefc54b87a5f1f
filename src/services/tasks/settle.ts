/** What follows a transaction that ended an attempt or gave out slots: tell the workflows, count, and go on. */
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Deps } from '../../deps.ts';
import { MESSAGES } from '../../schema/names.ts';
import type { NextStep, TaskStep } from '../../schema/task-flow.ts';
import { findRun } from '../../stores/runs.ts';
import { type AttemptEnd, endAttempt } from '../../stores/task-ends.ts';
import { type Assigned, admit, staleAssignments } from '../../stores/task-queue.ts';
import { startRun } from '../engine.ts';

/** A workflow that was told and does nothing for so long is told again. */
const STALE_SECONDS = 30;
const TELL_MS = 5_000;

/** Ends an attempt once and resolves with what follows; others that get its slot are told. */
export async function settleAttempt(deps: Deps, step: TaskStep, end: AttemptEnd): Promise<NextStep> {
  const { next, assigned, ended } = await deps.db
    .transaction()
    .execute((trx) => endAttempt(trx, step, end, deps.config.MAX_CONCURRENT_TASKS));
  if (ended) {
    const { type, status, error, seconds } = ended;
    if (status !== 'retrying') deps.metrics.taskSeconds.observe({ type, outcome: status }, seconds);
    if (error) deps.metrics.failures.inc({ room: 'tasks', code: error.code });
  }
  await tellAssigned(deps, assigned);
  return next;
}

/**
 * Gives free slots to whoever is next and tells them. Called when agents come or get room. Also tells those again that
 * were assigned and have not begun, so that a word that got lost costs seconds.
 */
export async function admitTasks(deps: Deps): Promise<void> {
  const assigned = await deps.db.transaction().execute((trx) => admit(trx, deps.config.MAX_CONCURRENT_TASKS));
  const stale = await staleAssignments(deps.db, STALE_SECONDS);
  await tellAssigned(deps, [...assigned, ...stale]);
}

/**
 * Tells workflows that they have a slot; one that does not run yet is started. Never throws: who was not reached now is
 * reached by the next `admitTasks`.
 */
export async function tellAssigned(deps: Deps, assigned: readonly Assigned[]): Promise<void> {
  await Promise.all(
    assigned.map((one) =>
      tell(deps, one).catch((err) => {
        deps.log.warn({ err, workflow_id: one.workflow_id }, 'a task was not told that it is its turn; later then');
      }),
    ),
  );
}

async function tell(deps: Deps, { workflow_id, attempt, working }: Assigned): Promise<void> {
  const signal = () =>
    deps.temporal.withDeadline(Date.now() + TELL_MS, () =>
      deps.temporal.workflow
        .getHandle(workflow_id)
        .signal(MESSAGES.assigned, { attempt, ...(working === true ? { working } : {}) }),
    );
  try {
    await signal();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    const run = await findRun(deps.db, workflow_id);
    if (!run || run.closed_at !== null) return;
    await startRun(deps, run);
    await signal();
  }
}
