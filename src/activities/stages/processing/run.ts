/** `processing`: the same work on each batch of rows, several at once; what comes out is in the order of the batches. */
import { Failure } from '../../../schema/failures.ts';
import type { StageOutput } from '../../../schema/stages/contract.ts';
import type { ProcessingConfig } from '../../../schema/stages/processing.ts';
import { type Job, mainInput } from '../job.ts';
import { embedRows } from './embed.ts';
import { planOf } from './plan.ts';
import { processSql } from './sql.ts';

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
