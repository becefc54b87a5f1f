/** The activities of pipelines. */
import type { Deps } from '../../deps.ts';
import type { CloseRunInput, Decision, RunRef, SettleInput, StageRef } from '../../schema/pipeline-flow.ts';
import { createExpressions } from '../../services/pipelines/expression-pool.ts';
import { byCode } from '../context.ts';
import type { StageEngines } from '../stages/runner.ts';
import { openApproval, settleApproval } from './approvals.ts';
import { mergeItems, mergeStage, splitStage } from './batches.ts';
import { closePipelineRun } from './close-run.ts';
import { awaitStageTask } from './foreign-tasks.ts';
import { openRun } from './open-run.ts';
import { planStage } from './plan-stage.ts';
import type { PipelineDeps } from './run-data.ts';
import { type Operate, runOperation } from './run-operation.ts';
import { runStage } from './run-stage.ts';
import { finishItems, setRunStatus, settleStage } from './settle.ts';
import { closeStageTask, openStageTask } from './tasks.ts';

export type { Operate } from './run-operation.ts';

export function createPipelineActivities(shared: Deps, parts: { stages: StageEngines; operate: Operate }) {
  const { stages, operate } = parts;
  const deps: PipelineDeps = { ...shared, expressions: createExpressions() };
  return {
    openRun: byCode((ref: RunRef) => openRun(deps, ref)),
    planStage: byCode((input: RunRef & { stage: number }) => planStage(deps, input)),
    openApproval: byCode((input: RunRef & { stage: number }) => openApproval(deps, input)),
    settleApproval: byCode(
      (input: { workflow_id: string } & (Decision | { approval_id: string; decision: 'expire'; approve: boolean })) =>
        settleApproval(deps, input),
    ),
    settleStage: byCode((input: SettleInput) => settleStage(deps, input)),
    finishItems: byCode((input: RunRef & { stage: number }) => finishItems(deps, input)),
    setRunStatus: byCode((input: RunRef & { paused: boolean }) => setRunStatus(deps, input)),
    openStageTask: byCode((input: StageRef & { batch: number | null }) => openStageTask(deps, input)),
    closeStageTask: byCode((input: StageRef & { task_id: string; batch: number | null }) =>
      closeStageTask(deps, input),
    ),
    awaitStageTask: byCode((input: { task_id: string }) => awaitStageTask(deps, input)),
    closePipelineRun: byCode((input: CloseRunInput) => closePipelineRun(deps, input)),
    // These say themselves what is worth a repeat by the engine.
    runStage: byCode((ref: StageRef) => runStage(deps, stages, ref)),
    splitStage: byCode((ref: StageRef) => splitStage(deps, stages, ref)),
    mergeStage: byCode((input: StageRef & { batches: number }) => mergeStage(deps, stages, input)),
    mergeItems: byCode((input: RunRef & { stage: number }) => mergeItems(deps, stages, input)),
    runOperation: byCode((ref: StageRef) => runOperation(deps, operate, ref)),
  };
}
