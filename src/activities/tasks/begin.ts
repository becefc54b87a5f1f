/** The beginning of an attempt: its turn in the queue, and on to the agent that was chosen. */
import type { Deps } from '../../deps.ts';
import type { TaskStep, TaskTurn } from '../../schema/task-flow.ts';
import { settleAttempt, tellAssigned } from '../../services/tasks/settle.ts';
import { admit } from '../../stores/task-queue.ts';
import { readTurn, requeue } from '../../stores/task-turns.ts';
import { callForAttempt } from './call.ts';
import type { Calls } from './calls.ts';
import { over, workingOn } from './ends.ts';

/**
 * Takes the attempt as far as it goes by itself: into the queue, out of it when there is a slot and an agent, and to
 * that agent. An agent that answers at once ends the attempt right here. Repeated after a crash it calls the agent
 * again under the same `webhook-id`, unless the agent had said that it works on by itself.
 *
 * With `waits` it stays until the agent has answered; else an agent that does not answer at once is left to a second
 * step in this process, which comes by `calls.queue`.
 */
export async function beginAttempt(
  deps: Deps,
  calls: Calls,
  step: TaskStep,
  { signal, waits }: { signal: AbortSignal; waits: boolean },
): Promise<TaskTurn> {
  let turn = await readTurn(deps.db, step);
  if (turn && turn.attempt === step.attempt && (turn.phase === 'backoff' || turn.phase === 'queued')) {
    await queue(deps, step);
    turn = await readTurn(deps.db, step);
  }
  if (!turn || turn.phase === 'closed' || turn.attempt !== step.attempt) return over(deps, step);
  if (turn.phase === 'queued') return { kind: 'waiting' };
  if (turn.mode === 'builtin') return { kind: 'builtin' };
  if (turn.reported) return { kind: 'over', next: await settleAttempt(deps, step, { ending: { kind: 'reported' } }) };
  if (turn.mode === 'pull' || turn.lease_in_ms !== null) return workingOn(turn);
  return callForAttempt(deps, calls, step, turn, { signal, waits });
}

/** Puts it into the queue, and whoever is next gets a slot: it may be another. */
async function queue(deps: Deps, step: TaskStep): Promise<void> {
  const assigned = await deps.db.transaction().execute(async (trx) => {
    await requeue(trx, step);
    return admit(trx, deps.config.MAX_CONCURRENT_TASKS);
  });
  await tellAssigned(
    deps,
    assigned.filter((one) => one.task_id !== step.task_id),
  );
}
