/** What a caller does to a task that is here: cancel it, or try it again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { RunTaskInput } from '../../schema/task-flow.ts';
import { admit } from '../../stores/task-queue.ts';
import { reopenTask } from '../../stores/task-reopen.ts';
import { findTask, type TaskRow } from '../../stores/tasks.ts';
import { startAdmitted } from '../engine.ts';
import { settleAttempt, tellAssigned } from './settle.ts';
import { runOfTask, takeTaskQuota } from './submit.ts';

/**
 * Asks the task to stop for good: its workflow frees the slot and tells the agent. Cancelling what is cancelled already
 * is no error. Throws Failure('conflict') for one that ended otherwise.
 */
export async function cancelTask(deps: Deps, task: TaskRow): Promise<TaskRow> {
  if (task.status === 'cancelled') return task;
  if (task.phase === 'closed') {
    throw new Failure('conflict', `Task ${task.task_id} is ${task.status} and cannot be cancelled`);
  }
  try {
    await deps.temporal.workflow.getHandle(task.workflow_id).cancel();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    // Never started, or gone: then nobody else will write it down.
    const step = { task_id: task.task_id, attempt: task.attempt, workflow_id: task.workflow_id };
    let next = await settleAttempt(deps, step, { ending: { kind: 'cancelled' } });
    while (next.status === 'retrying') {
      next = await settleAttempt(deps, { ...step, attempt: next.attempt }, { ending: { kind: 'cancelled' } });
    }
    // A pipeline's task has its row before its workflow, which would look at the row only when it has waited long.
    if (task.run_id !== null) void cancelWhenStarted(deps, task.workflow_id);
  }
  return (await findTask(deps.db, task.task_id)) ?? task;
}

const LATE_START_MS = 10_000;

/** Cancels a workflow that is about to start; after a while nobody starts it any more. */
async function cancelWhenStarted(deps: Deps, workflowId: string): Promise<void> {
  for (const until = Date.now() + LATE_START_MS; Date.now() < until; await sleep(100)) {
    try {
      await deps.temporal.workflow.getHandle(workflowId).cancel();
      return;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) continue;
      return deps.log.warn({ err: error, workflow_id: workflowId }, 'a task that is cancelled could not be told so');
    }
  }
}

/**
 * Another round of attempts of a failed or cancelled task, under a workflow of its own. It counts against the quota of
 * the task's owner. Throws Failure: `conflict`, `quota_exceeded`.
 */
export async function retryTask(deps: Deps, task: TaskRow): Promise<TaskRow> {
  if (task.status !== 'failed' && task.status !== 'cancelled') {
    throw new Failure(
      'conflict',
      `Task ${task.task_id} is ${task.status}; only a failed or cancelled one can be retried`,
    );
  }
  const round = Number(/~(\d+)$/.exec(task.workflow_id)?.[1] ?? 1) + 1;
  const input: RunTaskInput = {
    task_id: task.task_id,
    owner: task.owner,
    attempt: task.attempt + 1,
    timeout_seconds: task.timeout_seconds,
    assigned: false,
    in_place: true,
  };
  const run = runOfTask(input, `${task.task_id}~${round}`);
  const assigned = await deps.db.transaction().execute(async (trx) => {
    if (!(await reopenTask(trx, task, run))) {
      throw new Failure('conflict', `Task ${task.task_id} was retried by somebody else just now`);
    }
    await takeTaskQuota(trx, deps, task.owner);
    return admit(trx, deps.config.MAX_CONCURRENT_TASKS);
  });
  const mine = assigned.some(({ task_id }) => task_id === task.task_id);
  await startAdmitted(deps, { ...run, input: { ...input, assigned: mine } });
  await tellAssigned(
    deps,
    assigned.filter(({ task_id }) => task_id !== task.task_id),
  );
  return (await findTask(deps.db, task.task_id)) ?? task;
}
