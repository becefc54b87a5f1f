/** Agents that pull: whether one of them has room for a task that was just submitted. */
import { sql } from 'kysely';
import { mayDoTask, needOfTask } from './agents.ts';
import type { Db } from './database.ts';

/**
 * Whether the task waits for nothing but the next claim: a slot is free for it, and an agent that pulls has room. True
 * too when it was claimed meanwhile.
 */
export async function isAboutToBeClaimed(
  db: Db,
  task: { task_id: string; place: number; cap: number },
): Promise<boolean> {
  const { task_id, place, cap } = task;
  const { rows } = await sql<{ soon: boolean }>`
    SELECT t.phase <> 'queued' OR (
      ${place}::int <= ${cap}::int - (SELECT count(*) FROM tasks WHERE slot)
      AND EXISTS (SELECT FROM agents a WHERE NOT a.endpoints ?| ARRAY['task', 'mcp']
        AND (SELECT count(*) FROM tasks b WHERE b.slot AND b.assigned_agent = a.agent_id) < a.max_concurrency
        AND ${mayDoTask('a', needOfTask('t'))})) AS soon
    FROM tasks t WHERE t.task_id = ${task_id}
  `.execute(db);
  return rows[0]?.soon ?? false;
}
