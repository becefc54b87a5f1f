/** What every activity does around its work: heartbeats, being asked to stop, and failures by code. */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { Failure } from '../schema/failures.ts';
import { toFailure } from '../schema/unknown-error.ts';

/**
 * Turns what an activity throws into an ApplicationFailure whose type is the failure's code; codes that a repeat
 * cannot help are marked so. Cancellation passes through, and so does an ApplicationFailure: it says all that itself.
 */
export function byCode<I extends unknown[], O>(activity: (...input: I) => Promise<O>): (...input: I) => Promise<O> {
  return async (...input) => {
    try {
      return await activity(...input);
    } catch (error) {
      if (error instanceof CancelledFailure || error instanceof ApplicationFailure) throw error;
      const failure = toFailure(error);
      throw ApplicationFailure.create({
        type: failure.code,
        message: failure.message,
        nonRetryable: error instanceof Failure && !failure.retryable,
        ...(error instanceof Error ? { cause: error } : {}),
      });
    }
  };
}

/** Whether the workflow asked this activity to stop (pause or cancel), as opposed to the worker shutting down. */
export function askedToStop(): boolean {
  return Context.current().cancellationSignal.aborted;
}

/** Heartbeats every `everyMs` with what `details` gives, until stopped: long single steps stay alive that way. */
export function keepAlive(details: () => unknown, everyMs = 2_000): () => void {
  const context = Context.current();
  context.heartbeat(details());
  const timer = setInterval(() => context.heartbeat(details()), everyMs);
  return () => clearInterval(timer);
}
