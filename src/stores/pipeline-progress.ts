/** How far a run is, counted from its stages and told in the transaction of the change. */
import { sql } from 'kysely';
import { eventResource, type PipelineProgressData } from '../schema/live.ts';
import type { Trx } from './database.ts';
import { appendEvents } from './events.ts';
import type { PipelineRunRow } from './pipeline-runs.ts';
import { OVER, type StageRow, stagesOf } from './pipeline-stages.ts';

type Standing = Pick<PipelineProgressData, 'current_stage' | 'completed_stages' | 'progress'>;

/** Each stage weighs the same; one that is over counts whole, whichever way it ended. */
export function standingOf(stages: readonly Pick<StageRow, 'stage' | 'status' | 'progress'>[]): Standing {
  const open = stages.find(({ status }) => !OVER.includes(status));
  const done = stages.reduce((sum, { status, progress }) => sum + (OVER.includes(status) ? 1 : progress), 0);
  return {
    current_stage: open?.stage ?? stages.at(-1)?.stage ?? 0,
    completed_stages: stages.filter(({ status }) => status === 'completed').map(({ stage }) => stage),
    progress: stages.length === 0 ? 0 : Math.round((done / stages.length) * 10_000) / 10_000,
  };
}

/**
 * Brings the run's row up to date with its stages and logs `pipeline.progress`. `run` must be locked. Equal keys are
 * one event, so a step that is repeated tells it once.
 */
export async function tellProgress(trx: Trx, run: PipelineRunRow, key: string): Promise<void> {
  const standing = standingOf(await stagesOf(trx, run.run_id));
  // A stage that begins anew after a failure does not take the run back.
  const progress = Math.max(standing.progress, run.progress);
  await trx
    .updateTable('pipeline_runs')
    .set({
      progress,
      current_stage: standing.current_stage,
      completed_stages: standing.completed_stages,
      updated_at: sql<Date>`now()`,
    })
    .where('run_id', '=', run.run_id)
    .execute();
  const data: PipelineProgressData = {
    pipeline_id: run.pipeline_id,
    run_id: run.run_id,
    ...standing,
    progress,
    timestamp: new Date().toISOString(),
  };
  await appendEvents(trx, [
    {
      name: 'pipeline.progress',
      owner: run.owner,
      resource: eventResource.run(run.run_id),
      workflow_id: run.workflow_id,
      data,
      key: `${run.workflow_id}/progress/${key}`,
    },
  ]);
}
