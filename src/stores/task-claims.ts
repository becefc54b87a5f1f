/** Tasks that an agent fetches itself: who is next among those that it can do, under the lock of admissions. */
import { sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import type { TaskType } from '../schema/names.ts';
import { mayDoTask, needOfTask } from './agents.ts';
import type { Db, Trx } from './database.ts';
import { takeNext } from './task-order.ts';
import { assign, type Head, queueHeads } from './task-queue.ts';
import { markRunning, renewLease } from './task-turns.ts';

export interface ClaimedRow {
  task_id: string;
  workflow_id: string;
  attempt: number;
  type: TaskType;
  payload: JsonObject;
  timeout_seconds: number;
  deadline: Date;
  priority: number;
  pipeline_id: string | null;
  stage: number | null;
}

export interface Claim {
  agent_id: string;
  max: number;
  claim_id: string | null;
  lease_seconds: number;
  cap: number;
}

/** Gives the agent the tasks that are next for it, at most `max` and at most as many as it has room for. */
export async function claimNext(db: Db, claim: Claim): Promise<ClaimedRow[]> {
  // Without the lock: most looks find nothing.
  if (!(await anythingWaits(db))) return [];
  return db.transaction().execute(async (trx) => {
    const heads = await queueHeads(trx, claim.cap);
    const free = heads[0]?.free ?? 0;
    const { room, lanes } = await whatItMay(trx, claim.agent_id, heads);
    const possible = heads.filter((head) => head.executor !== 'builtin' && lanes.has(head.lane));
    const taken = new Map<string, number>();
    const ids: string[] = [];
    while (ids.length < Math.min(claim.max, free, room)) {
      const head = takeNext(possible, taken, new Set());
      if (head === null) break;
      const by = { mode: 'pull' as const, agent_id: claim.agent_id };
      if (!(await assign(trx, head, by, claim.claim_id))) continue;
      await markRunning(trx, head, claim.agent_id);
      await renewLease(trx, head, claim.lease_seconds);
      taken.set(head.owner, (taken.get(head.owner) ?? 0) + 1);
      ids.push(head.task_id);
    }
    return readClaimed(trx, ids);
  });
}

async function anythingWaits(db: Db): Promise<boolean> {
  const { rows } = await sql<{ waits: boolean }>`
    SELECT EXISTS (SELECT FROM tasks WHERE phase = 'queued') AS waits`.execute(db);
  return rows[0]?.waits ?? false;
}

/** How many more tasks the agent can have, and of which lanes. */
async function whatItMay(trx: Trx, agentId: string, heads: Head[]): Promise<{ room: number; lanes: Set<string> }> {
  if (heads.length === 0) return { room: 0, lanes: new Set() };
  const oneEach = [...new Map(heads.map((head) => [head.lane, head.task_id])).values()];
  const { rows } = await sql<{ lane: string; room: number }>`
    SELECT t.lane, (a.max_concurrency - (SELECT count(*)::int FROM tasks b WHERE b.slot AND b.assigned_agent = a.agent_id))
      AS room
    FROM agents a JOIN tasks t ON t.task_id = ANY(${oneEach}::text[])
    WHERE a.agent_id = ${agentId} AND ${mayDoTask('a', needOfTask('t'))}
  `.execute(trx);
  return { room: rows[0]?.room ?? 0, lanes: new Set(rows.map((row) => row.lane)) };
}

/** What an earlier call with this id was given and still has. */
export async function claimedBefore(db: Db, agentId: string, claimId: string): Promise<ClaimedRow[]> {
  const { rows } = await sql<{ task_id: string }>`
    SELECT t.task_id FROM task_attempts a JOIN tasks t ON t.task_id = a.task_id AND t.attempt = a.attempt
    WHERE a.agent_id = ${agentId} AND a.claim_id = ${claimId} AND a.status = 'running' AND a.completion_id IS NULL
  `.execute(db);
  return readClaimed(
    db,
    rows.map((row) => row.task_id),
  );
}

async function readClaimed(db: Db | Trx, ids: string[]): Promise<ClaimedRow[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<ClaimedRow>`
    SELECT t.task_id, t.workflow_id, t.attempt, t.type, t.payload, t.timeout_seconds, t.priority, t.pipeline_id, t.stage,
      a.started_at + make_interval(secs => t.timeout_seconds) AS deadline
    FROM tasks t JOIN task_attempts a ON a.task_id = t.task_id AND a.attempt = t.attempt
    WHERE t.task_id = ANY(${ids}::text[]) ORDER BY array_position(${ids}::text[], t.task_id)
  `.execute(db);
  return rows;
}
