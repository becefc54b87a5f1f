/** Tasks that retention takes out, with their attempts, results and logs. */
import { sql } from 'kysely';
import type { Trx } from './database.ts';

/**
 * Tasks that ended before `before`, oldest first, locked until the transaction ends. One of a pipeline run that is still
 * here stays with it; one that somebody takes up again at this moment is passed over.
 */
export async function lockTasksEndedBefore(trx: Trx, before: Date, limit: number): Promise<string[]> {
  const { rows } = await sql<{ task_id: string }>`
    SELECT t.task_id FROM tasks t
    WHERE t.phase = 'closed' AND t.completed_at < ${before}
      AND NOT EXISTS (SELECT FROM pipeline_runs r WHERE r.run_id = t.run_id)
    ORDER BY t.completed_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
  `.execute(trx);
  return rows.map((row) => row.task_id);
}

export async function removeTasks(trx: Trx, taskIds: string[]): Promise<void> {
  await sql`DELETE FROM tasks WHERE task_id = ANY(${taskIds}::text[])`.execute(trx);
}
