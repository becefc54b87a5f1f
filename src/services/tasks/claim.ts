/** Agents that pull: a long poll for tasks, given out under the same lock and in the same order as all others. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import { PRIORITIES } from '../../schema/names.ts';
import type { Principal } from '../../schema/principal.ts';
import type { ClaimedTask, ClaimRequest } from '../../schema/tasks.ts';
import { touchAgent } from '../../stores/agents-rows.ts';
import {
  anythingWaits,
  type ClaimedRow,
  claimedBefore,
  claimNext,
  keepWaiting,
  stopWaiting,
} from '../../stores/task-claims.ts';
import { tellRoom } from '../agents/room.ts';
import { waitForTasks } from './bell.ts';
import { leaseSeconds } from './lease.ts';
import { tellAssigned } from './settle.ts';

/** Looked at least this often while waiting, whatever became of the notifications. */
const SAFETY_MS = 2_000;

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
  if (request.claim_id !== undefined) {
    const before = await claimedBefore(deps.db, agentId, request.claim_id);
    if (before.length > 0) return before.map((row) => view(row, lease));
  }
  const until = Date.now() + request.wait_seconds * 1000;
  const first = await claimOnce(deps, agentId, request);
  if (first.length > 0 || request.wait_seconds === 0) return first.map((row) => view(row, lease));
  const bell = await waitForTasks(deps);
  let found: ClaimedRow[] = [];
  try {
    for (;;) {
      // Asked for before looking: a ring in between must not be missed.
      const waiting = new AbortController();
      const rung = bell.rung(
        Math.min(SAFETY_MS, Math.max(0, until - Date.now())),
        AbortSignal.any([signal, waiting.signal]),
      );
      if (!signal.aborted) {
        await keepWaiting(deps.db, agentId, request.max);
        found = await claimOnce(deps, agentId, request);
      }
      if (found.length > 0 || signal.aborted || Date.now() >= until) {
        waiting.abort();
        return found.map((row) => view(row, lease));
      }
      await rung;
    }
  } finally {
    bell.close();
    if (found.length === 0) await leave(deps, agentId);
  }
}

/** What was left for the agent to take is given to others, if there is any. */
async function leave(deps: Deps, agentId: string): Promise<void> {
  await stopWaiting(deps.db, agentId);
  if (await anythingWaits(deps.db)) tellRoom(deps);
}

async function claimOnce(deps: Deps, agentId: string, request: ClaimRequest): Promise<ClaimedRow[]> {
  // Whoever asks for work is alive.
  await touchAgent(deps.db, agentId, deps.config.AGENT_HEARTBEAT_SECONDS / 2);
  const rows = await claimNext(deps.db, {
    agent_id: agentId,
    max: request.max,
    claim_id: request.claim_id ?? null,
    lease_seconds: leaseSeconds(deps.config),
    cap: deps.config.MAX_CONCURRENT_TASKS,
  });
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
