/** How an attempt stands after a step, and how it ends. */
import type { Deps } from '../../deps.ts';
import type { Failure } from '../../schema/failures.ts';
import { isStorable, type JsonObject } from '../../schema/json.ts';
import type { TaskStep, TaskTurn } from '../../schema/task-flow.ts';
import { MAX_TASK_JSON } from '../../schema/tasks.ts';
import type { CalledAgent } from '../../services/agents/calls.ts';
import { settleAttempt } from '../../services/tasks/settle.ts';
import { uuidV5 } from '../../stores/ids.ts';
import type { Turn } from '../../stores/task-turns.ts';

/** Somebody works on it without us: it is looked at again when the lease or the time runs out. */
export function workingOn(turn: Turn): TaskTurn {
  return { kind: 'working', look_in_ms: Math.max(0, Math.ceil(Math.min(turn.lease_in_ms ?? 0, turn.left_ms))) };
}

/** Nothing is changed here: an attempt that is over answers with what followed. */
export async function over(deps: Deps, step: TaskStep): Promise<TaskTurn> {
  return { kind: 'over', next: await settleAttempt(deps, step, { ending: { kind: 'cancelled' } }) };
}

/** Null when it is not registered any more. */
export function calledAgent(turn: Turn): CalledAgent | null {
  const { agent_id, agent_owner, endpoints, credential } = turn;
  if (agent_id === null || agent_owner === null || endpoints === null) return null;
  return { agent_id, owner: agent_owner, endpoints, credential };
}

/** Ends the attempt with what the agent answered. */
export async function completed(deps: Deps, step: TaskStep, result: JsonObject): Promise<TaskTurn> {
  const fault = faultOf(result);
  if (fault !== null) {
    const error = { code: 'agent_failed', detail: fault };
    return {
      kind: 'over',
      next: await settleAttempt(deps, step, { ending: { kind: 'failed', error, retryable: true } }),
    };
  }
  const completion_id = uuidV5(`completion:${step.task_id}/${step.attempt}`);
  return {
    kind: 'over',
    next: await settleAttempt(deps, step, { ending: { kind: 'completed' }, completion: { completion_id, result } }),
  };
}

function faultOf(result: JsonObject): string | null {
  if (!isStorable(result)) return 'The result holds NUL characters or lone surrogates';
  const bytes = Buffer.byteLength(JSON.stringify(result));
  return bytes > MAX_TASK_JSON ? `The result has ${bytes} bytes as JSON; ${MAX_TASK_JSON} are allowed` : null;
}

/** `late`: it failed because its time was over. */
export async function failed(deps: Deps, step: TaskStep, failure: Failure, late: boolean): Promise<TaskTurn> {
  if (late) return { kind: 'over', next: await settleAttempt(deps, step, { ending: { kind: 'timeout' } }) };
  if (failure.code === 'agent_unreachable') return lost(deps, step, failure.message, failure.retryAfterSeconds);
  const error = { code: failure.code, detail: failure.message };
  // Another agent may be able to: only what is wrong with the task itself is final.
  const retryable = failure.code !== 'invalid_input';
  return { kind: 'over', next: await settleAttempt(deps, step, { ending: { kind: 'failed', error, retryable } }) };
}

/** `pauseSeconds`: what the agent asked for before it is called again. */
export async function lost(deps: Deps, step: TaskStep, detail: string, pauseSeconds?: number): Promise<TaskTurn> {
  const pause = pauseSeconds === undefined ? {} : { pause_ms: pauseSeconds * 1000 };
  return { kind: 'over', next: await settleAttempt(deps, step, { ending: { kind: 'lost', detail, ...pause } }) };
}
