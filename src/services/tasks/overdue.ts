/** Ends tasks that have waited long enough for an agent, and says in which way one waits. */
import type { Deps } from '../../deps.ts';
import type { FailureRecord } from '../../schema/tables.ts';
import { builtinFault } from '../../schema/task-payload.ts';
import { endAttempt } from '../../stores/task-ends.ts';
import { lockOverdue, markStranded, type OverdueTask, overdueTasks } from '../../stores/task-stranded.ts';
import type { TaskRow } from '../../stores/tasks.ts';
import { tellAssigned } from './settle.ts';

const AT_ONCE = 100;

/**
 * Notes which tasks wait while none of their agents is at work. Where `closing`, fails those that have waited for as
 * long as an attempt may take, and those whose agent is not registered any more; resolves with how many.
 */
export async function lookAtStranded(deps: Deps, closing: boolean): Promise<number> {
  await markStranded(deps.db);
  if (!closing) return 0;
  let closed = 0;
  for (const task of await overdueTasks(deps.db, AT_ONCE)) if (await close(deps, task)) closed += 1;
  return closed;
}

async function close(deps: Deps, task: OverdueTask): Promise<boolean> {
  const { task_id, workflow_id, attempt } = task;
  const error = errorOf(task);
  const end = await deps.db.transaction().execute(async (trx) => {
    if (!(await lockOverdue(trx, task))) return null;
    const ending = { kind: 'failed' as const, error, retryable: false };
    return endAttempt(trx, { task_id, workflow_id, attempt }, { ending }, deps.config.MAX_CONCURRENT_TASKS);
  });
  if (!end?.ended) return false;
  const { type, status, seconds } = end.ended;
  deps.metrics.taskSeconds.observe({ type, outcome: status }, seconds);
  deps.metrics.failures.inc({ room: 'tasks', code: error.code });
  // The workflow looks at its row when it is told that it is its turn, and finds that it is over.
  await tellAssigned(deps, [...end.assigned, { task_id, workflow_id, attempt }]);
  return true;
}

function errorOf(task: OverdueTask): FailureRecord {
  const detail =
    task.wanted_agent === null
      ? `No agent that could do it was there for ${task.timeout_seconds} seconds, and the built-in executor cannot: ${reasonOf(task)}`
      : `Agent ${task.wanted_agent}, which it names, is not registered any more`;
  return { code: 'no_agent', detail };
}

function reasonOf({ type, payload }: Pick<TaskRow, 'type' | 'payload'>): string {
  return builtinFault(type, payload) ?? 'its payload is not for it';
}

/** Null unless the task waits while none of its agents is at work. */
export function strandedSince(row: TaskRow): { since: Date; until: Date; reason: string } | null {
  if (row.phase !== 'queued' || row.stranded_at === null) return null;
  const until = new Date(row.stranded_at.getTime() + row.timeout_seconds * 1000);
  return { since: row.stranded_at, until, reason: reasonOf(row) };
}
