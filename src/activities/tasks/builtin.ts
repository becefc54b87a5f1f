/** Tasks that the house does itself: the built-in stage of their type, on what the payload names. */
import { CancelledFailure } from '@temporalio/activity';
import type { Deps } from '../../deps.ts';
import type { Failure } from '../../schema/failures.ts';
import type { JsonObject } from '../../schema/json.ts';
import type { StageRequest, StageRunner } from '../../schema/stages/contract.ts';
import type { TaskStep, TaskTurn } from '../../schema/task-flow.ts';
import { partsOfPayload } from '../../schema/task-payload.ts';
import { toFailure } from '../../schema/unknown-error.ts';
import { settleAttempt } from '../../services/tasks/settle.ts';
import type { AttemptEnd } from '../../stores/task-ends.ts';
import { markRunning, readTurn, reportBuiltin, type Turn } from '../../stores/task-turns.ts';
import { keepAlive } from '../context.ts';
import { completed, over } from './ends.ts';

const PROGRESS_EVERY_MS = 1_000;

/** Runs the stage and ends the attempt with its output. Repeated after a crash it does the same again, to the same keys. */
export async function runBuiltin(
  deps: Deps,
  runner: StageRunner,
  step: TaskStep,
  signal: AbortSignal,
): Promise<TaskTurn> {
  const turn = await readTurn(deps.db, step);
  if (!turn || turn.phase === 'closed' || turn.attempt !== step.attempt) return over(deps, step);
  await markRunning(deps.db, turn, null);
  const started = await readTurn(deps.db, step);
  const leftMs = started?.left_ms ?? turn.left_ms;
  if (leftMs <= 0) return { kind: 'over', next: await settleAttempt(deps, step, { ending: { kind: 'timeout' } }) };
  const timeout = AbortSignal.timeout(Math.ceil(leftMs));
  const stop = keepAlive(() => null);
  try {
    const output = await runner.run(requestOf(turn, leftMs), {
      signal: AbortSignal.any([signal, timeout]),
      progress: progressWriter(deps, turn),
    });
    return await completed(deps, step, output as unknown as JsonObject);
  } catch (error) {
    if (signal.aborted) throw error instanceof CancelledFailure ? error : new CancelledFailure('cancelled');
    const failure = toFailure(error);
    // A store that is away is no failure of the work: the engine tries again.
    if (failure.code === 'unavailable') throw error;
    return { kind: 'over', next: await settleAttempt(deps, step, { ending: endingOf(failure, timeout.aborted) }) };
  } finally {
    stop();
  }
}

function endingOf(failure: Failure, late: boolean): AttemptEnd['ending'] {
  if (late || failure.code === 'timeout') return { kind: 'timeout' };
  const error = { code: failure.code, detail: failure.message };
  return { kind: 'failed', error, retryable: failure.retryable };
}

export function requestOf(turn: Turn, leftMs: number): StageRequest {
  return {
    type: turn.type,
    ...partsOfPayload(turn.payload),
    inputs: [],
    // Not by the workflow: the id of a later round is no object key, while attempts are counted over all rounds.
    prefix: `runs/${turn.task_id}/${turn.attempt}/`,
    owner: turn.owner,
    all_owners: false,
    timeout_seconds: Math.max(1, Math.ceil(leftMs / 1000)),
  };
}

/** Writes at most once a second; what could not be written is no reason to stop. */
function progressWriter(deps: Deps, turn: Turn): (share: number, message: string) => void {
  let last = 0;
  return (share) => {
    const now = Date.now();
    if (now - last < PROGRESS_EVERY_MS) return;
    last = now;
    reportBuiltin(deps.db, turn, Math.min(1, Math.max(0, share))).catch((err) =>
      deps.log.warn({ err, workflow_id: turn.workflow_id }, 'progress could not be written'),
    );
  };
}
