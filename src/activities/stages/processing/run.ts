/** `processing`: the same work on each batch of rows, several at once; what comes out is in the order of the batches. */
import { Failure } from '../../../schema/failures.ts';
import type { StageOutput } from '../../../schema/stages/contract.ts';
import type { ProcessingConfig } from '../../../schema/stages/processing.ts';
import { type Job, mainInput } from '../job.ts';
import { embedRows } from './embed.ts';
import { processSql } from './sql.ts';

const BATCH_SIZE = 10_000;

export interface BatchPlan {
  size: number;
  workers: number;
  batches: number;
}

export async function processBatches(job: Job<ProcessingConfig>): Promise<StageOutput> {
  const { config } = job;
  const dataset = mainInput(job);
  const plan = planOf(job, dataset.rows);
  if (config.agent) throw new Failure('invalid_input', 'agent: batches for agents are handed out by the workflow');
  if (config.sql !== undefined) return processSql(job, config.sql, plan);
  if (config.embed) return embedRows(job, config.embed, plan);
  return {
    dataset,
    artifacts: [],
    summary: { rows_in: dataset.rows, rows: dataset.rows, batches: plan.batches, batch_size: plan.size },
  };
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
