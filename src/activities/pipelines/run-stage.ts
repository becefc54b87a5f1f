/** One try of a built-in stage or of one of its items: by the stage engine, from its inputs to its output. */
import type { Deps } from '../../deps.ts';
import { visibleOwners } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import type { StageRef } from '../../schema/pipeline-flow.ts';
import type { StageRequest, StageRunner } from '../../schema/stages/contract.ts';
import { stageFaults } from '../../schema/stages/index.ts';
import { currentPrincipal } from '../../services/pipelines/principal.ts';
import { isTaskType } from './plan-stage.ts';
import { inputsOf, type PipelineDeps, prefixOf, type RunData, readRun, resolved, stageOf } from './run-data.ts';
import { tryStage } from './try.ts';

export async function runStage(deps: PipelineDeps, runner: StageRunner, ref: StageRef): Promise<void> {
  const data = await readRun(deps.db, ref.run_id);
  await tryStage(deps, ref, timeoutOf(deps, data, ref.stage), async ({ signal, progress }) =>
    runner.run(await requestOf(deps, data, ref), { signal, progress }),
  );
}

export function timeoutOf(deps: Deps, data: RunData, stage: number): number {
  return stageOf(data, stage).timeout ?? deps.config.TASK_TIMEOUT;
}

/** Throws Failure('invalid_pipeline') when the templates made a configuration that the stage cannot take. */
export async function requestOf(deps: PipelineDeps, data: RunData, ref: StageRef): Promise<StageRequest> {
  const { run } = data;
  const { type } = stageOf(data, ref.stage);
  if (!isTaskType(type)) throw new Failure('invalid_pipeline', `A stage of type ${type} is not built in`);
  const config = await resolved(deps, data, ref, 'config');
  const faults = stageFaults(type, config);
  if (faults.length > 0) {
    const words = faults.slice(0, 5).map(({ path, message }) => `config.${path}: ${message}`);
    throw new Failure('invalid_pipeline', words.join('; '), { faults });
  }
  const principal = await currentPrincipal(deps.db, run);
  return {
    type,
    config,
    inputs: inputsOf(data, ref.stage),
    input_data: run.input_data,
    parameters: run.parameters,
    prefix: prefixOf(run, ref.stage, ref.item),
    owner: run.owner,
    all_owners: visibleOwners(principal) === null,
    timeout_seconds: timeoutOf(deps, data, ref.stage),
  };
}
