/** Tasks that an agent fetches itself: who is next among those that it can do, under the lock of admissions. */
import { sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import type { TaskType } from '../schema/names.ts';
import { isWaiting } from './agent-load.ts';
import { mayDoTask, needOfTask, waitingBefore } from './agents.ts';
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
    const { room, lanes, rivals } = await whatItMay(trx, claim.agent_id, heads);
    const possible = heads.filter((head) => head.executor !== 'builtin' && lanes.has(head.lane));
    const leave = rivals ? leaveToOthers(trx, claim.agent_id) : async () => false;
    const taken = new Map<string, number>();
    const ids: string[] = [];
    while (ids.length < Math.min(claim.max, free, room)) {
      const head = takeNext(possible, taken, new Set());
      if (head === null) break;
      if (await leave(head)) continue;
      const by = { mode: 'pull' as const, agent_id: claim.agent_id };
      if (!(await assign(trx, head, by, claim.claim_id))) continue;
      await markRunning(trx, head, claim.agent_id);
      await renewLease(trx, head, claim.lease_seconds);
      taken.set(head.owner, (taken.get(head.owner) ?? 0) + 1);
      ids.push(head.task_id);
    }
    if (ids.length > 0) await stopWaiting(trx, claim.agent_id);
    return readClaimed(trx, ids);
  });
}

/** Whether somebody else who waits goes before this agent for the task; each takes as many as it has room for. */
function leaveToOthers(trx: Trx, agentId: string): (head: Head) => Promise<boolean> {
  const byLane = new Map<string, string[]>();
  const rooms = new Map<string, number>();
  return async (head) => {
    let others = byLane.get(head.lane);
    if (!others) {
      const found = await waitingBefore(trx, head.task_id, agentId);
      for (const { agent_id, room } of found) if (!rooms.has(agent_id)) rooms.set(agent_id, room);
      others = found.map(({ agent_id }) => agent_id);
      byLane.set(head.lane, others);
    }
    const other = others.find((id) => (rooms.get(id) ?? 0) > 0);
    if (other === undefined) return false;
    rooms.set(other, (rooms.get(other) ?? 0) - 1);
    return true;
  };
}

export async function anythingWaits(db: Db): Promise<boolean> {
  const { rows } = await sql<{ waits: boolean }>`
    SELECT EXISTS (SELECT FROM tasks WHERE phase = 'queued') AS waits`.execute(db);
  return rows[0]?.waits ?? false;
}

/** How many more tasks the agent can have, of which lanes, and whether any other agent waits in a claim. */
async function whatItMay(
  trx: Trx,
  agentId: string,
  heads: Head[],
): Promise<{ room: number; lanes: Set<string>; rivals: boolean }> {
  if (heads.length === 0) return { room: 0, lanes: new Set(), rivals: false };
  const oneEach = [...new Map(heads.map((head) => [head.lane, head.task_id])).values()];
  const { rows } = await sql<{ lane: string; room: number; rivals: boolean }>`
    SELECT t.lane, (a.max_concurrency - (SELECT count(*)::int FROM tasks b WHERE b.slot AND b.assigned_agent = a.agent_id))
      AS room, EXISTS (SELECT FROM agents o WHERE o.agent_id <> a.agent_id AND ${isWaiting('o')}) AS rivals
    FROM agents a JOIN tasks t ON t.task_id = ANY(${oneEach}::text[])
    WHERE a.agent_id = ${agentId} AND ${mayDoTask('a', needOfTask('t'))}
  `.execute(trx);
  const [first] = rows;
  return { room: first?.room ?? 0, lanes: new Set(rows.map((row) => row.lane)), rivals: first?.rivals ?? false };
}

/** Renewed when less than this is left of it. */
const RENEW_SECONDS = 4;
const WAITING_SECONDS = 6;

/** The agent waits in a claim for at most `max` tasks: said again every few seconds, it counts when tasks are given out. */
export async function keepWaiting(db: Db, agentId: string, max: number): Promise<void> {
  await sql`
    UPDATE agents SET waiting_until = now() + make_interval(secs => ${WAITING_SECONDS}), waiting_for = ${max}
    WHERE agent_id = ${agentId} AND deleted_at IS NULL AND (waiting_until IS NULL OR waiting_for <> ${max}
      OR waiting_until < now() + make_interval(secs => ${RENEW_SECONDS}))`.execute(db);
}

export async function stopWaiting(db: Db | Trx, agentId: string): Promise<void> {
  await sql`UPDATE agents SET waiting_until = NULL WHERE agent_id = ${agentId} AND waiting_until IS NOT NULL`.execute(
    db,
  );
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
