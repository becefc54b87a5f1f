/** A process that evaluates expressions, one job after another, for the one that forked it; it ends with it. */
import { Failure } from '../../schema/failures.ts';
import type { Json } from '../../schema/json.ts';
import { type ExpressionJob, perform } from './expression-job.ts';

export type ToEvaluator = { id: number; job: ExpressionJob };
type Outcome = { value: Json } | { invalid: string } | { unavailable: string } | { broken: string };
/** `spent`: what the job left behind could be held against the next one. */
export type FromEvaluator = { id: number; spent: boolean } & Outcome;

/** Memory of the whole process in use; a fresh one takes a third of it. */
const SPENT_BYTES = 200 * 1024 * 1024;

function outcome(job: ExpressionJob): Outcome {
  try {
    return { value: perform(job) };
  } catch (error) {
    if (error instanceof Failure) {
      return error.code === 'unavailable' ? { unavailable: error.message } : { invalid: error.message };
    }
    return { broken: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', ({ id, job }: ToEvaluator) => {
  const found = outcome(job);
  process.send?.({ id, ...found, spent: process.memoryUsage.rss() > SPENT_BYTES } satisfies FromEvaluator);
});
// Signals meant for the house are its parent's to answer; without one it ends by itself.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit());
