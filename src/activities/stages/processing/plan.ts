/** Into how many batches of which size rows are cut, and how many are worked on at once. */
import { Failure } from '../../../schema/failures.ts';
import type { ProcessingConfig } from '../../../schema/stages/processing.ts';
import type { Job } from '../job.ts';

const BATCH_SIZE = 10_000;

export interface BatchPlan {
  size: number;
  workers: number;
  batches: number;
}

/** Sizes that the configuration leaves open come from the parameters of the execution. */
export function planOf(job: Pick<Job<ProcessingConfig>, 'config' | 'request'>, rows: number): BatchPlan {
  const size =
    job.config.batch_size ?? whole(job.request.parameters.batch_size, 'batch_size', 10_000_000) ?? BATCH_SIZE;
  const workers =
    job.config.parallel_workers ?? whole(job.request.parameters.parallel_workers, 'parallel_workers', 64) ?? 1;
  return { size, workers, batches: Math.ceil(rows / size) };
}

function whole(value: unknown, what: string, most: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Failure('invalid_input', `parameters.${what} must be a whole number from 1 to ${most}`);
}
