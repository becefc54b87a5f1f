/** The beginning of a run's workflow, also of a later one of the same run: what there is to do, and what is done already. */
import type { Deps } from '../../deps.ts';
import type { OnFailure, OpenedRun, RunRef, StagePlan } from '../../schema/pipeline-flow.ts';
import type { StageDefinition } from '../../schema/pipelines.ts';
import { tellProgress } from '../../stores/pipeline-progress.ts';
import { lockRun, patchRun } from '../../stores/pipeline-runs.ts';
import { compensatedBy, type RunData, readRun } from './run-data.ts';

const BETWEEN_TRIES = { max_attempts: 1, backoff_seconds: 1 };
const ITEMS_AT_ONCE = 4;

/** Marks the run as running, unless it is paused, and says what its stages are and how they stand. */
export async function openRun(deps: Deps, ref: RunRef): Promise<OpenedRun> {
  return deps.db.transaction().execute(async (trx) => {
    const run = await lockRun(trx, ref);
    if (run.status === 'pending') {
      await patchRun(trx, run.run_id, { status: 'running', started_at: run.started_at ?? new Date() });
      await tellProgress(trx, run, 'opened');
    }
    const data = await readRun(trx, ref.run_id);
    return {
      plan: data.definition.stages.map((stage, index) => planOf(deps, data, stage, index)),
      states: data.rows.map(({ status, attempt, error }) => ({ status, attempt, error })),
    };
  });
}

function planOf(deps: Deps, data: RunData, stage: StageDefinition, index: number): StagePlan {
  const { on_failure, required } = stage;
  const compensator = typeof on_failure === 'object' ? data.names.indexOf(on_failure.compensate) : -1;
  return {
    name: stage.name,
    needs: data.needs[index] ?? [],
    on_failure: policyOf(stage),
    compensate: compensator >= 0 ? compensator : null,
    required,
    compensates: compensatedBy(data, index) >= 0,
    timeout_seconds: stage.timeout ?? deps.config.TASK_TIMEOUT,
    ...BETWEEN_TRIES,
    ...stage.retry,
    concurrency: stage.for_each?.concurrency ?? ITEMS_AT_ONCE,
    approval: stage.approval !== undefined && stage.approval !== false,
  };
}

/** A stage that is not required may fail, and what comes after it sees that; what it says itself goes first. */
export function policyOf({ on_failure, required }: Pick<StageDefinition, 'on_failure' | 'required'>): OnFailure {
  if (typeof on_failure === 'object') return 'compensate';
  return on_failure ?? (required ? 'fail' : 'continue');
}
