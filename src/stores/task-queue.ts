/**
 * The admission queue: who is next, and who does it. A slot is a row with `slot`, so a kill neither leaks nor doubles
 * one; all slots are given out under one lock, which `task_queue_heads` takes until the transaction ends.
 */
import { sql } from 'kysely';
import type { Executor, TaskType } from '../schema/names.ts';
import { type AgentChoice, type AgentNeed, awaits, chooseAgent, fits, lanesByAgents } from './agents.ts';
import { type Db, prepared, type Trx } from './database.ts';
import { TASKS_CHANNEL } from './task-events.ts';
import { rankOf, takeNext, type Waiting } from './task-order.ts';

/** A task at the head of its lane. */
export interface Head extends Waiting {
  free: number;
  workflow_id: string;
  attempt: number;
  priority: number;
  type: TaskType;
  executor: Executor;
  capabilities: string[];
  excluded_agents: string[];
  wanted_agent: string | null;
  /** The built-in executor cannot do it. */
  needs_agent: boolean;
}

/** A task that was given a slot and somebody to do it. */
export interface Assigned {
  task_id: string;
  workflow_id: string;
  attempt: number;
  /** It was fetched, and is being worked on. */
  working?: boolean;
}

/** Tasks of one lane looked at in one go. */
const MOST = 50;

/** The heads of all lanes (tasks of one lane are one owner's and can be done by the same agents), in no order, under the lock of admissions; none when no slot is free. */
export async function queueHeads(trx: Trx, cap: number): Promise<Head[]> {
  const { rows } =
    await sql<Head>`SELECT h.*, ${rankOf('h')} AS rank FROM task_queue_heads(${cap}, ${MOST}) AS h`.execute(trx);
  return rows;
}

/**
 * Gives free slots to the tasks that are next and that somebody can do; resolves with them, to be told after the
 * commit. What waits for an agent that pulls, or for one that is busy, is passed by what comes behind it; what an agent
 * that waits in a claim does best is left for it to take.
 */
export async function admit(trx: Trx, cap: number): Promise<Assigned[]> {
  const assigned: Assigned[] = [];
  for (;;) {
    const heads = await queueHeads(trx, cap);
    const free = heads[0]?.free ?? 0;
    const waiting = heads.length;
    const taken = new Map<string, number>();
    const { blocked, agentless } = await lookAtLanes(trx, heads);
    /** Tasks that are left for agents that wait in a claim: each is told and takes them itself. */
    const offered = new Map<string, number>();
    let given = 0;
    let left = 0;
    while (given + left < free) {
      const head = takeNext(heads, taken, blocked);
      if (head === null) break;
      const executor = agentless.has(head.lane) ? BUILTIN : await executorFor(trx, head, offered);
      if (executor === null) {
        blocked.add(head.lane);
        continue;
      }
      if (executor.mode === 'pull') {
        offered.set(executor.agent_id, (offered.get(executor.agent_id) ?? 0) + 1);
        taken.set(head.owner, (taken.get(head.owner) ?? 0) + 1);
        left += 1;
        continue;
      }
      if (!(await assign(trx, head, executor))) continue;
      taken.set(head.owner, (taken.get(head.owner) ?? 0) + 1);
      assigned.push({ task_id: head.task_id, workflow_id: head.workflow_id, attempt: head.attempt });
      given += 1;
    }
    // Lanes were cut to MOST: there may be more of the same.
    const again = given > 0 && given + left < free && waiting >= MOST;
    if (again) continue;
    // Only for what was left for them: what none of those that wait may do wakes nobody.
    if (left > 0) await wakeClaims(trx);
    return assigned;
  }
}

/** Wakes agents that wait for work, when this commits. */
async function wakeClaims(trx: Trx): Promise<void> {
  await sql`SELECT pg_notify(${TASKS_CHANNEL}, '')`.execute(trx);
}

type ExecutorChoice = { mode: 'builtin'; agent_id: null } | Pick<AgentChoice, 'mode' | 'agent_id'>;

const BUILTIN: ExecutorChoice = { mode: 'builtin', agent_id: null };
/** Of so many lanes each is looked at by itself when its turn comes. */
const FEW_LANES = 4;

/** Of many lanes at once: which nobody can take now, and which are for the house since no agent could ever. */
async function lookAtLanes(trx: Trx, heads: Head[]): Promise<{ blocked: Set<string>; agentless: Set<string> }> {
  const lanes = new Map(heads.filter(({ executor }) => executor !== 'builtin').map((head) => [head.lane, head]));
  const blocked = new Set<string>();
  const agentless = new Set<string>();
  if (lanes.size <= FEW_LANES) return { blocked, agentless };
  const first = new Map([...lanes.values()].map((head) => [head.task_id, head]));
  for (const { task_id, fits: fit, takable } of await lanesByAgents(trx, [...first.keys()])) {
    const head = first.get(task_id);
    if (!head || takable) continue;
    (head.executor === 'agent' || fit ? blocked : agentless).add(head.lane);
  }
  return { blocked, agentless };
}

/** Null: it waits, because all that fit are busy, pull their work and do not wait for any, or are not there yet. */
async function executorFor(trx: Trx, head: Head, offered: ReadonlyMap<string, number>): Promise<ExecutorChoice | null> {
  if (head.executor === 'builtin') return { mode: 'builtin', agent_id: null };
  const { owner, type, capabilities, wanted_agent: wanted, excluded_agents: exclude } = head;
  const need: AgentNeed = { owner, wanted, type, capabilities, exclude };
  const agent = await chooseAgent(trx, need, offered);
  if (agent !== null) return agent;
  if (head.executor === 'agent' || (await (head.needs_agent ? awaits : fits)(trx, need))) return null;
  return { mode: 'builtin', agent_id: null };
}

/** False when somebody else changed the row in between: cancelled it. */
export async function assign(
  trx: Trx,
  head: Pick<Head, 'task_id' | 'attempt'>,
  by: ExecutorChoice,
  claimId: string | null = null,
): Promise<boolean> {
  const { rows } = await sql`${prepared}
    WITH task AS (
      UPDATE tasks SET slot = true, phase = 'assigned', assigned_agent = ${by.agent_id}, assigned_at = now(),
        updated_at = now(), lease_until = NULL, progress = 0, stranded_at = NULL
      WHERE task_id = ${head.task_id} AND attempt = ${head.attempt} AND phase = 'queued'
      RETURNING task_id, attempt
    )
    INSERT INTO task_attempts (task_id, attempt, executor, agent_id, status, claim_id)
    SELECT task_id, attempt, ${by.mode}, ${by.agent_id}, 'running', ${claimId} FROM task RETURNING attempt
  `.execute(trx);
  return rows.length > 0;
}

/**
 * Tasks whose workflow has not begun with them for `seconds`, or has not looked after a lease that ran out: it may not
 * have been told that they were assigned, or fetched. Each is named once in that time, by whoever asks first: an engine that is merely slow must not get all of them again and again.
 */
export async function staleAssignments(db: Db, seconds: number): Promise<Assigned[]> {
  const { rows } = await sql<Assigned>`
    UPDATE tasks SET updated_at = now() WHERE task_id IN (
      SELECT task_id FROM tasks
      WHERE slot AND (phase = 'assigned' OR (phase = 'running' AND lease_until < now()))
        AND updated_at < now() - make_interval(secs => ${seconds})
      LIMIT 200 FOR UPDATE SKIP LOCKED)
    RETURNING task_id, workflow_id, attempt, phase = 'running' AS working
  `.execute(db);
  return rows;
}
