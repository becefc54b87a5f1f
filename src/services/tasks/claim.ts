/** Agents that pull: a long poll for tasks, given out under the same lock and in the same order as all others. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import { PRIORITIES } from '../../schema/names.ts';
import type { Principal } from '../../schema/principal.ts';
import type { ClaimedTask, ClaimRequest } from '../../schema/tasks.ts';
import { touchAgent } from '../../stores/agents-rows.ts';
import { type ClaimedRow, claimedBefore, claimNext, couldTake, waitFor } from '../../stores/task-claims.ts';
import { tellRoom } from '../agents/room.ts';
import { waitForTasks } from './bell.ts';
import { leaseSeconds } from './lease.ts';
import { tellAssigned } from './settle.ts';

/** Looked at least this often while waiting, whatever became of the notifications. */
const SAFETY_MS = 2_000;
/** Once so soon: an admission that was under way when the claim began to wait did not count it and rings for nobody. */
const SOON_MS = 250;

/**
 * Tasks for this agent, or none after `wait_seconds`. A claim repeated with its `claim_id` is answered with what the
 * first led to. When the answer gets lost otherwise, the lease runs out and the tasks go to somebody else. Throws
 * Failure('forbidden') for anybody but the agent itself.
 */
export async function claimTasks(
  deps: Deps,
  principal: Principal,
  agentId: string,
  request: ClaimRequest,
  signal: AbortSignal,
): Promise<ClaimedTask[]> {
  if (principal.id !== agentId || principal.role !== 'agent') {
    throw new Failure('forbidden', 'Only the agent itself claims tasks, with its own token');
  }
  const lease = leaseSeconds(deps.config);
  const until = Date.now() + request.wait_seconds * 1000;
  const first = await claimOnce(deps, agentId, request);
  if (first.length > 0 || request.wait_seconds === 0) return first.map((row) => view(row, lease));
  const bell = await waitForTasks(deps);
  const mine: WaitingClaim = { agent_id: agentId, max: request.max };
  const claims = claimsOf(deps);
  claims.add(mine);
  let longest = SOON_MS;
  let found: ClaimedRow[] = [];
  try {
    for (;;) {
      // Asked for before looking: a ring in between must not be missed.
      const waiting = new AbortController();
      const rung = bell.rung(
        Math.min(longest, Math.max(0, until - Date.now())),
        AbortSignal.any([signal, waiting.signal]),
      );
      longest = SAFETY_MS;
      if (!signal.aborted) {
        await waitFor(deps.db, agentId, wanted(deps, agentId));
        found = await claimOnce(deps, agentId, request, mine);
      }
      if (found.length > 0 || signal.aborted || Date.now() >= until) {
        waiting.abort();
        return found.map((row) => view(row, lease));
      }
      await rung;
    }
  } finally {
    bell.close();
    claims.delete(mine);
    if (found.length === 0) await leave(deps, agentId);
  }
}

interface WaitingClaim {
  agent_id: string;
  max: number;
}

/** Claims that wait in this process: an agent waits until the last of its own ends. */
const waitingClaims = new WeakMap<Deps, Set<WaitingClaim>>();

function claimsOf(deps: Deps): Set<WaitingClaim> {
  const claims = waitingClaims.get(deps) ?? new Set();
  waitingClaims.set(deps, claims);
  return claims;
}

/** As many tasks as all claims of the agent wait for, without the one given. */
function wanted(deps: Deps, agentId: string, without?: WaitingClaim): number {
  let sum = 0;
  for (const claim of claimsOf(deps)) if (claim.agent_id === agentId && claim !== without) sum += claim.max;
  return sum;
}

/** What was left for the agent to take is given to others, if there is any. */
async function leave(deps: Deps, agentId: string): Promise<void> {
  const told = wanted(deps, agentId);
  await waitFor(deps.db, agentId, told);
  // Another one may have begun to wait meanwhile, or ended.
  const now = wanted(deps, agentId);
  if (now !== told) await waitFor(deps.db, agentId, now);
  if (await couldTake(deps.db, agentId, deps.config.MAX_CONCURRENT_TASKS)) tellRoom(deps);
}

/** Looks once; `mine`: the claim, when it is one of those that wait. */
async function claimOnce(
  deps: Deps,
  agentId: string,
  request: ClaimRequest,
  mine?: WaitingClaim,
): Promise<ClaimedRow[]> {
  // Each time: its first call may be served while this one waits, and answer to nobody.
  if (request.claim_id !== undefined) {
    const before = await claimedBefore(deps.db, agentId, request.claim_id);
    if (before.length > 0) {
      if (mine) await waitFor(deps.db, agentId, wanted(deps, agentId, mine));
      return before;
    }
  }
  // Whoever asks for work is alive.
  await touchAgent(deps.db, agentId, deps.config.AGENT_HEARTBEAT_SECONDS / 2);
  const others = wanted(deps, agentId, mine);
  const rows = await claimNext(deps.db, {
    agent_id: agentId,
    max: request.max,
    claim_id: request.claim_id ?? null,
    lease_seconds: leaseSeconds(deps.config),
    cap: deps.config.MAX_CONCURRENT_TASKS,
    others_wait_for: others,
  });
  const now = wanted(deps, agentId, mine);
  if (rows.length > 0 && now !== others) await waitFor(deps.db, agentId, now);
  // Nobody waits for it: a workflow that is not told finds out when it looks after itself.
  void tellAssigned(
    deps,
    rows.map(({ task_id, workflow_id, attempt }) => ({ task_id, workflow_id, attempt, working: true })),
  );
  return rows;
}

function view(row: ClaimedRow, lease: number): ClaimedTask {
  return {
    task_id: row.task_id,
    attempt: row.attempt,
    type: row.type,
    payload: row.payload,
    timeout_seconds: row.timeout_seconds,
    deadline: row.deadline.toISOString(),
    lease_seconds: lease,
    priority: PRIORITIES[row.priority] ?? 'medium',
    pipeline_id: row.pipeline_id,
    stage: row.stage,
  };
}
