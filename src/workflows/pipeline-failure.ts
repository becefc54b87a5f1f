/** What follows when a stage has failed for good: its own rule, and its compensating stage where it names one. */
import type { StageStatus } from '../schema/names.ts';
import type { StagePlan } from '../schema/pipeline-flow.ts';
import type { RunContext, StageEnd } from './pipeline-stage.ts';
import { runStageToEnd } from './pipeline-stage.ts';
import { pipelineRows } from './pipeline-steps.ts';

const REASONS = {
  fail: null,
  skip: 'failed; what depends on it is skipped',
  continue: 'failed; the run goes on',
  compensate: 'failed; its compensating stage runs',
};

/** Writes the failure; `failsRun` says whether the run fails with it. */
export async function afterFailure(
  run: RunContext,
  plan: readonly StagePlan[],
  stage: number,
  { error, tries: count }: Extract<StageEnd, { end: 'failed' }>,
): Promise<{ status: StageStatus; failsRun: boolean }> {
  const of = plan[stage];
  const policy = of?.on_failure ?? 'fail';
  const at = { ...run.ref, stage, item: -1, try: count, error };
  await pipelineRows.settleStage({ ...at, status: 'failed', reason: REASONS[policy] });
  if (policy !== 'compensate') return { status: 'failed', failsRun: policy === 'fail' };
  const failsRun = of?.required ?? true;
  const compensated = await compensate(run, plan, of?.compensate ?? -1);
  if (!compensated) return { status: 'failed', failsRun };
  await pipelineRows.settleStage({ ...at, status: 'compensated', reason: 'failed; its compensating stage ran' });
  return { status: 'compensated', failsRun };
}

/** Goes to its end also while the run is paused or another stage fails: it undoes, it does nothing new. */
async function compensate(run: RunContext, plan: readonly StagePlan[], stage: number): Promise<boolean> {
  const of = plan[stage];
  if (!of) return false;
  const ended = await runStageToEnd(run, stage, of, 0, 'no way');
  if (ended.end !== 'failed') return true;
  const { error, tries: count } = ended;
  await pipelineRows.settleStage({ ...run.ref, stage, item: -1, try: count, status: 'failed', reason: null, error });
  return false;
}
