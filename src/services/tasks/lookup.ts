/** Finds a task for a caller: one that may not see it is told that there is none. */
import type { Deps } from '../../deps.ts';
import { canChange, canSee } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import { eventResource } from '../../schema/live.ts';
import type { Principal } from '../../schema/principal.ts';
import { findTask, type TaskRow } from '../../stores/tasks.ts';

export async function visibleTask(deps: Deps, principal: Principal, taskId: string): Promise<TaskRow> {
  const row = await findTask(deps.db, taskId);
  if (!row || !canSee(principal, refOf(row))) throw new Failure('not_found', `No task ${taskId}`);
  return row;
}

export async function changeableTask(deps: Deps, principal: Principal, taskId: string): Promise<TaskRow> {
  const row = await visibleTask(deps, principal, taskId);
  if (!canChange(principal, refOf(row))) {
    throw new Failure('forbidden', `Task ${taskId} may be read but not changed with these credentials`);
  }
  return row;
}

const refOf = (row: TaskRow) => ({ owner: row.owner, ref: eventResource.task(row.task_id) });
