/** Puts a task that failed or was cancelled back into the queue, under a new workflow. */
import { sql } from 'kysely';
import type { Trx } from './database.ts';
import type { NewRun } from './runs.ts';
import { eventsCte, taskUpdated, wakeReaders } from './task-events.ts';
import type { TaskRow } from './tasks.ts';

/** Resolves with false when the task is not any more what `task` says. */
export async function reopenTask(trx: Trx, task: TaskRow, run: NewRun): Promise<boolean> {
  const ref = { task_id: task.task_id, owner: task.owner, workflow_id: run.workflow_id };
  const event = taskUpdated(ref, 'submitted', { status: 'pending', progress: 0 });
  const { rows } = await sql`
    WITH task AS (
      UPDATE tasks SET workflow_id = ${run.workflow_id}, status = 'pending', phase = 'queued', slot = false,
        attempt = attempt + 1, retries = 0, lost = 0, assigned_agent = NULL, excluded_agents = '{}',
        lease_until = NULL, progress = 0, result = NULL, error = NULL, queued_at = now(), assigned_at = NULL,
        started_at = NULL, completed_at = NULL, stranded_at = NULL, updated_at = now()
      WHERE task_id = ${task.task_id} AND workflow_id = ${task.workflow_id} AND phase = 'closed'
        AND status IN ('failed', 'cancelled')
      RETURNING task_id
    ), run AS (
      INSERT INTO workflow_runs (workflow_id, type, room, owner, source, resource, input)
      SELECT ${run.workflow_id}, ${run.type}, ${run.room}, ${run.owner}, ${run.source}, ${run.resource},
        ${JSON.stringify(run.input)}::jsonb FROM task
    ), ${eventsCte([event], sql`EXISTS (SELECT FROM task)`)}
    SELECT task_id, ${wakeReaders} FROM task
  `.execute(trx);
  return rows.length > 0;
}
