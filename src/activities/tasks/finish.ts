/** The end of an attempt, and the look at one that somebody else works on. */
import { ApplicationFailure } from '@temporalio/activity';
import type { AgentStatusAnswer } from '../../clients/agent-calls.ts';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { FailureRecord } from '../../schema/tables.ts';
import type { EndCause, FinishInput, NextStep, TaskStep, TaskTurn } from '../../schema/task-flow.ts';
import { pollAgent } from '../../services/agents/calls.ts';
import { leaseSeconds } from '../../services/tasks/lease.ts';
import { settleAttempt } from '../../services/tasks/settle.ts';
import type { AttemptEnd } from '../../stores/task-ends.ts';
import { readTurn, renewLease, reportProgress } from '../../stores/task-turns.ts';
import { calledAgent, completed, lost, over, workingOn } from './ends.ts';

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

/** How often an agent that has gone quiet does not say how it goes before its attempt counts as lost, and how far apart. */
const SILENCES = 3;
const BETWEEN = '3 seconds';

/** How an agent that has gone quiet was asked before, kept by the engine from one try of the step to the next. */
export interface Asked {
  /** Times in which it did not say how it goes. */
  silences: number;
  keep(silences: number): void;
}

/**
 * Asks an agent that has gone quiet how it goes. What it says counts like a callback, its progress too; not knowing of
 * the attempt means that it is lost. When it does not say, this throws to be tried again a little later: one that just
 * starts anew, or is too busy to answer, keeps its work.
 */
export async function askQuietAgent(deps: Deps, step: TaskStep, asked: Asked, signal: AbortSignal): Promise<TaskTurn> {
  const before = await lookAfter(deps, step);
  if (before.kind !== 'quiet') return before;
  const turn = await readTurn(deps.db, step);
  const agent = turn && calledAgent(turn);
  if (!turn || !agent?.endpoints.status) return lost(deps, step, 'The agent has said nothing for too long');
  let said: AgentStatusAnswer;
  try {
    said = await pollAgent(deps, agent, step, signal);
  } catch (error) {
    if (signal.aborted || !(error instanceof Failure)) throw error;
    const silences = asked.silences + 1;
    if (silences >= SILENCES) return lost(deps, step, `Asked ${SILENCES} times how it goes: ${error.message}`);
    asked.keep(silences);
    throw ApplicationFailure.create({ type: error.code, message: error.message, nextRetryDelay: BETWEEN });
  }
  if (said.status === 'completed') return completed(deps, step, said.result);
  if (said.status === 'failed') {
    const error = { code: 'agent_failed', detail: said.error ?? 'The agent gave no reason' };
    const next = await settleAttempt(deps, step, { ending: { kind: 'failed', error, retryable: true } });
    return { kind: 'over', next };
  }
  if (said.status === 'unknown') return lost(deps, step, 'The agent knows nothing of the attempt');
  const lease_seconds = leaseSeconds(deps.config);
  if (said.progress === null) await renewLease(deps.db, step, lease_seconds);
  else {
    const { agent_id } = agent;
    await reportProgress(deps.db, turn, { agent_id, progress: said.progress, lease_seconds, at: new Date() });
  }
  return lookAfter(deps, step);
}
