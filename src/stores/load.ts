/** How much there is to do and who does it, in one question to the database: for metrics. */
import { sql } from 'kysely';
import type { AgentStatus } from '../schema/names.ts';
import type { Db } from './database.ts';

/** Only so many agents are told one by one. */
const MAX_AGENTS_TOLD = 1_000;

export interface Load {
  agents: { status: AgentStatus; count: number }[];
  /** `load` as the agent tells it, 0 to 1; `running` as we count it. */
  each: { agent_id: string; name: string; load: number; running: number }[];
  /** `priority`: 0 high, 1 medium, 2 low. */
  queued: { priority: number; count: number; oldest_seconds: number }[];
  running: number;
  /** Workflows that have not ended. */
  open: { type: string; count: number }[];
}

/** Each part is answered from an index of what is alive, so that the size of the past does not matter. */
export async function readLoad(db: Db): Promise<Load> {
  const result = await sql<Load>`
    SELECT
      (SELECT coalesce(json_agg(found), '[]') FROM (
        SELECT status, count(*)::int AS count FROM agents WHERE deleted_at IS NULL GROUP BY status) found) AS agents,
      (SELECT coalesce(json_agg(found), '[]') FROM (
        SELECT agent_id, name, current_load AS load, (
          SELECT count(*)::int FROM tasks WHERE slot AND assigned_agent = agent_id) AS running
        FROM agents WHERE deleted_at IS NULL ORDER BY registered_at DESC LIMIT ${MAX_AGENTS_TOLD}) found) AS each,
      (SELECT coalesce(json_agg(found), '[]') FROM (
        SELECT priority, count(*)::int AS count, extract(epoch FROM now() - min(queued_at))::float8 AS oldest_seconds
        FROM tasks WHERE phase = 'queued' GROUP BY priority) found) AS queued,
      (SELECT count(*)::int FROM tasks WHERE slot) AS running,
      (SELECT coalesce(json_agg(found), '[]') FROM (
        SELECT type, count(*)::int AS count FROM workflow_runs WHERE closed_at IS NULL GROUP BY type) found) AS open
  `.execute(db);
  const [row] = result.rows;
  if (!row) throw new Error('a SELECT without FROM has one row');
  return row;
}
