/** Tasks that an agent fetches itself: who is next among those that it can do, under the lock of admissions. */
import { sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import type { TaskType } from '../schema/names.ts';
import { isWaiting } from './agent-load.ts';
import { mayDoTask, needOfTask, waitingBefore } from './agents.ts';
import { type Db, prepared, type Trx } from './database.ts';
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
  /** As many tasks as other claims of the same agent go on waiting for. */
  others_wait_for?: number;
}

/**
 * Gives the agent the tasks that are next for it, at most `max` and at most as many as it has room for. Slots for what
 * goes before and is better done by others that wait are not touched. A claim with an id that was served already is
 * given the same again.
 */
export async function claimNext(db: Db, claim: Claim): Promise<ClaimedRow[]> {
  // Without the lock: most looks find nothing.
  if (!(await couldTake(db, claim.agent_id, claim.cap))) return [];
  return db.transaction().execute(async (trx) => {
    const heads = await queueHeads(trx, claim.cap);
    // Under the lock: its first call may have been served since anybody looked.
    const before = claim.claim_id === null ? [] : await claimedBefore(trx, claim.agent_id, claim.claim_id);
    if (before.length > 0) {
      await waitFor(trx, claim.agent_id, claim.others_wait_for ?? 0);
      return before;
    }
    const free = heads[0]?.free ?? 0;
    const { room, lanes, rivals } = await whatItMay(trx, claim.agent_id, heads);
    const most = Math.min(claim.max, room);
    if (most <= 0) return [];
    const { possible, leave } = rivals
      ? await withRivals(trx, claim.agent_id, lanes, heads)
      : { possible: heads.filter((head) => isTaken(head, lanes)), leave: () => false };
    const taken = new Map<string, number>();
    /** Lanes of others that have no more room for them. */
    const over = new Set<string>();
    const ids: string[] = [];
    let left = 0;
    while (ids.length + left < free && ids.length < most) {
      const head = takeNext(possible, taken, over);
      if (head === null) break;
      const mine = !leave(head);
      if (mine && !lanes.has(head.lane)) {
        over.add(head.lane);
        continue;
      }
      if (mine) {
        const by = { mode: 'pull' as const, agent_id: claim.agent_id };
        if (!(await assign(trx, head, by, claim.claim_id))) continue;
        await markRunning(trx, head, claim.agent_id);
        await renewLease(trx, head, claim.lease_seconds);
        ids.push(head.task_id);
      } else {
        left += 1;
      }
      taken.set(head.owner, (taken.get(head.owner) ?? 0) + 1);
    }
    if (ids.length > 0) await waitFor(trx, claim.agent_id, claim.others_wait_for ?? 0);
    return readClaimed(trx, ids);
  });
}

const isTaken = (head: Head, lanes: ReadonlySet<string>) => head.executor !== 'builtin' && lanes.has(head.lane);

/**
 * What is to be looked at while others wait: the heads that this agent may do and those that one of them may, and
 * whether one of them goes before this agent for a head; each takes as many as it has room for.
 */
async function withRivals(
  trx: Trx,
  agentId: string,
  lanes: ReadonlySet<string>,
  heads: Head[],
): Promise<{ possible: Head[]; leave: (head: Head) => boolean }> {
  const laneOf = new Map<string, string>();
  const first = new Map<string, string>();
  for (const { lane, task_id, executor } of heads) {
    if (executor === 'builtin' || first.has(lane)) continue;
    first.set(lane, task_id);
    laneOf.set(task_id, lane);
  }
  const own: string[] = [];
  const foreign: string[] = [];
  for (const [lane, id] of first) (lanes.has(lane) ? own : foreign).push(id);
  const rooms = new Map<string, number>();
  const before = new Map<string, string[]>();
  for (const { task_id, agent_id, room } of await waitingBefore(trx, agentId, { own, foreign })) {
    const lane = laneOf.get(task_id) ?? '';
    before.set(lane, [...(before.get(lane) ?? []), agent_id]);
    rooms.set(agent_id, room);
  }
  return {
    possible: heads.filter((head) => isTaken(head, lanes) || before.has(head.lane)),
    leave(head) {
      const other = before.get(head.lane)?.find((id) => (rooms.get(id) ?? 0) > 0);
      if (other === undefined) return false;
      rooms.set(other, (rooms.get(other) ?? 0) - 1);
      return true;
    },
  };
}

/**
 * Whether a slot is free, the agent has room, and a task waits that it may do. Looks without the lock, at one task of
 * every lane: many agents that ask again and again while nothing is for them hold up nobody.
 */
export async function couldTake(db: Db, agentId: string, cap: number): Promise<boolean> {
  const order = sql`t.priority, t.owner, t.lane, t.queued_at, t.task_id`;
  const { rows } = await sql<{ could: boolean }>`${prepared}
    WITH RECURSIVE lanes AS (
      (SELECT t.priority, t.owner, t.lane, t.task_id FROM tasks t WHERE t.phase = 'queued' ORDER BY ${order} LIMIT 1)
      UNION ALL
      (SELECT next.* FROM lanes l, LATERAL (
         SELECT t.priority, t.owner, t.lane, t.task_id FROM tasks t
         WHERE t.phase = 'queued' AND (t.priority, t.owner, t.lane) > (l.priority, l.owner, l.lane)
         ORDER BY ${order} LIMIT 1) next)
    )
    SELECT EXISTS (SELECT FROM agents a WHERE a.agent_id = ${agentId}
      AND EXISTS (SELECT FROM tasks q WHERE q.phase = 'queued')
      AND (SELECT count(*) FROM tasks s WHERE s.slot) < ${cap}
      AND (SELECT count(*) FROM tasks b WHERE b.slot AND b.assigned_agent = a.agent_id) < a.max_concurrency
      AND EXISTS (SELECT FROM lanes l JOIN tasks t ON t.task_id = l.task_id
        WHERE t.executor <> 'builtin' AND ${mayDoTask('a', needOfTask('t'))})) AS could`.execute(db);
  return rows[0]?.could ?? false;
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

/** The agent waits in claims for at most `max` tasks: said again every few seconds, it counts when tasks are given out. */
export async function keepWaiting(db: Db | Trx, agentId: string, max: number): Promise<void> {
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

/** Either of both: for none it waits no more. */
export function waitFor(db: Db | Trx, agentId: string, max: number): Promise<void> {
  return max > 0 ? keepWaiting(db, agentId, max) : stopWaiting(db, agentId);
}

/** What an earlier call with this id was given and still has. */
export async function claimedBefore(db: Db | Trx, agentId: string, claimId: string): Promise<ClaimedRow[]> {
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
