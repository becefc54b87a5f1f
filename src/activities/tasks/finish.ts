/** The end of an attempt, and the look at one that somebody else works on. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { FailureRecord } from '../../schema/tables.ts';
import type { EndCause, FinishInput, NextStep, TaskStep, TaskTurn } from '../../schema/task-flow.ts';
import { pollAgent } from '../../services/agents/calls.ts';
import { leaseSeconds } from '../../services/tasks/lease.ts';
import { settleAttempt } from '../../services/tasks/settle.ts';
import type { AttemptEnd } from '../../stores/task-ends.ts';
import { readTurn, renewLease } from '../../stores/task-turns.ts';
import { calledAgent, completed, over, workingOn } from './begin.ts';

/** Idempotent: an attempt ends once, and a repeat answers with what followed. */
export async function finishAttempt(deps: Deps, { cause, error, ...step }: FinishInput): Promise<NextStep> {
  return settleAttempt(deps, step, { ending: endingOf(cause, error ?? null) });
}

function endingOf(cause: EndCause, error: FailureRecord | null): AttemptEnd['ending'] {
  if (cause === 'lost') return { kind: 'lost', detail: 'The agent went away' };
  if (cause !== 'broken') return { kind: cause };
  return { kind: 'failed', error: error ?? { code: 'internal', detail: 'A step failed' }, retryable: true };
}

/** Where the attempt stands by its row, when its lease or its time may have run out. */
export async function lookAfter(deps: Deps, step: TaskStep): Promise<TaskTurn> {
  const turn = await readTurn(deps.db, step);
  if (!turn || turn.phase === 'closed' || turn.attempt !== step.attempt) return over(deps, step);
  if (turn.phase === 'queued' || turn.phase === 'backoff') return { kind: 'waiting' };
  if (turn.reported) return { kind: 'over', next: await finishAttempt(deps, { ...step, cause: 'reported' }) };
  if (turn.left_ms <= 0) return { kind: 'over', next: await finishAttempt(deps, { ...step, cause: 'timeout' }) };
  return (turn.lease_in_ms ?? 0) > 0 ? workingOn(turn) : { kind: 'quiet' };
}

/**
 * Asks an agent that has gone quiet how it goes, once. What it says counts like a callback; silence, and not knowing of
 * the attempt, mean that it is lost.
 */
export async function askQuietAgent(deps: Deps, step: TaskStep, signal: AbortSignal): Promise<TaskTurn> {
  const before = await lookAfter(deps, step);
  if (before.kind !== 'quiet') return before;
  const turn = await readTurn(deps.db, step);
  const agent = turn && calledAgent(turn);
  if (!agent?.endpoints.status) return lost(deps, step, 'The agent has said nothing for too long');
  try {
    const said = await pollAgent(deps, agent, step, signal);
    if (said.status === 'completed') return await completed(deps, step, said.result);
    if (said.status === 'failed') {
      const error = { code: 'agent_failed', detail: said.error ?? 'The agent gave no reason' };
      const next = await settleAttempt(deps, step, { ending: { kind: 'failed', error, retryable: true } });
      return { kind: 'over', next };
    }
    if (said.status === 'unknown') return await lost(deps, step, 'The agent knows nothing of the attempt');
    await renewLease(deps.db, step, leaseSeconds(deps.config));
    return await lookAfter(deps, step);
  } catch (error) {
    if (signal.aborted || !(error instanceof Failure)) throw error;
    return lost(deps, step, error.message);
  }
}

async function lost(deps: Deps, step: TaskStep, detail: string): Promise<TaskTurn> {
  return { kind: 'over', next: await settleAttempt(deps, step, { ending: { kind: 'lost', detail } }) };
}
