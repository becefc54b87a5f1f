/** Tasks that wait for agents while none is there: since when, and which have waited long enough. */
import { type RawBuilder, sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import type { TaskType } from '../schema/names.ts';
import { anyAtWork, needOfTask } from './agents.ts';
import type { Db, Trx } from './database.ts';

/** Measured: 20,000 rows at once take 2.5 s. */
const MOST = 1_000;

export interface OverdueTask {
  task_id: string;
  workflow_id: string;
  attempt: number;
  type: TaskType;
  payload: JsonObject;
  timeout_seconds: number;
  /** The agent that it names; null when any would do that fits. */
  wanted_agent: string | null;
}

/**
 * Notes since when a task that only an agent can do waits while none of its agents is at work, and forgets it as soon
 * as one is. Rows that somebody else holds are left for the next time: to wait for them could be a deadlock. So are
 * those over MOST: whoever gives out slots must not wait for long.
 */
export async function markStranded(db: Db): Promise<void> {
  await sql`
    WITH lanes AS (
      SELECT DISTINCT ON (lane) lane, owner, type, capabilities, excluded_agents, wanted_agent FROM tasks
      WHERE phase = 'queued' AND needs_agent ORDER BY lane
    ), judged AS (SELECT lane, ${anyAtWork(needOfTask('lanes'))} AS served FROM lanes),
    changed AS (
      SELECT t.task_id, j.served FROM judged j JOIN tasks t ON t.lane = j.lane
      WHERE t.phase = 'queued' AND t.needs_agent AND (t.stranded_at IS NOT NULL) = j.served
      LIMIT ${MOST} FOR UPDATE OF t SKIP LOCKED
    )
    UPDATE tasks SET stranded_at = CASE WHEN changed.served THEN NULL ELSE now() END
    FROM changed WHERE tasks.task_id = changed.task_id
  `.execute(db);
}

/** For an agent as long as an attempt may take, or for one that will never come. */
function isOverdue(task: string): RawBuilder<boolean> {
  const column = (name: string) => sql.ref(`${task}.${name}`);
  return sql<boolean>`(${column('phase')} = 'queued' AND (
    (${column('needs_agent')} AND ${column('stranded_at')} < now() - make_interval(secs => ${column('timeout_seconds')})
      AND NOT ${anyAtWork(needOfTask(task))})
    OR (${column('wanted_agent')} IS NOT NULL AND NOT EXISTS (SELECT FROM agents AS named
      WHERE named.agent_id = ${column('wanted_agent')} AND named.deleted_at IS NULL))))`;
}

/** Tasks that have waited long enough, at most `limit`. */
export async function overdueTasks(db: Db, limit: number): Promise<OverdueTask[]> {
  const { rows } = await sql<OverdueTask>`
    SELECT t.task_id, t.workflow_id, t.attempt, t.type, t.payload, t.timeout_seconds, t.wanted_agent FROM tasks t
    WHERE t.phase = 'queued' AND (t.needs_agent OR t.wanted_agent IS NOT NULL) AND ${isOverdue('t')}
    LIMIT ${limit}`.execute(db);
  return rows;
}

/** The same again of one of them, whose row then is nobody else's to change until the transaction ends. */
export async function lockOverdue(trx: Trx, task: Pick<OverdueTask, 'task_id' | 'attempt'>): Promise<boolean> {
  const { rows } = await sql`
    SELECT FROM tasks t WHERE t.task_id = ${task.task_id} AND t.attempt = ${task.attempt} AND ${isOverdue('t')}
    FOR UPDATE OF t SKIP LOCKED`.execute(trx);
  return rows.length > 0;
}
