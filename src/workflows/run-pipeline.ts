/** Runs one pipeline: stages begin as soon as what they need is over, side by side, until all are over or one fails the run. */
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import type { StageStatus } from '../schema/names.ts';
import type { OpenedRun, RunPipelineInput, RunPipelineResult, RunRef, StageState } from '../schema/pipeline-flow.ts';
import type { FailureRecord } from '../schema/tables.ts';
import { failureOf } from './failure-of.ts';
import { runControl } from './pipeline-control.ts';
import { afterFailure } from './pipeline-failure.ts';
import { type RunContext, runStageToEnd } from './pipeline-stage.ts';
import { pipelineRows } from './pipeline-steps.ts';

/** `continue`: the history is long; another run of the workflow goes on. */
type End = { end: 'completed' } | { end: 'failed'; error: FailureRecord } | { end: 'continue' };

export async function runPipeline(input: RunPipelineInput): Promise<RunPipelineResult> {
  const { run_id, attempt } = input;
  const ref: RunRef = { run_id, attempt, workflow_id: workflowInfo().workflowId };
  const control = runControl(input, ref);
  let end: End;
  try {
    const opened = await pipelineRows.openRun(ref);
    end = await stagesToEnd({ ref, control }, opened);
    // A cancellation that comes while answers are still out must not be lost with this run of the workflow.
    if (end.end === 'continue') await condition(allHandlersFinished);
    if (end.end === 'completed') {
      await CancellationScope.nonCancellable(() =>
        pipelineRows.closePipelineRun({ ...ref, status: 'completed', error: null }),
      );
    }
  } catch (thrown) {
    const error = isCancellation(thrown) ? null : failureOf(thrown);
    const status = error === null ? 'cancelled' : 'failed';
    await CancellationScope.nonCancellable(() => pipelineRows.closePipelineRun({ ...ref, status, error }));
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    if (error === null) throw thrown;
    throw ApplicationFailure.nonRetryable(error.detail, error.code);
  }
  if (end.end === 'failed') {
    const { error } = end;
    await CancellationScope.nonCancellable(() => pipelineRows.closePipelineRun({ ...ref, status: 'failed', error }));
  }
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  if (end.end === 'continue') return continueAsNew<typeof runPipeline>({ ...input, paused: control.paused });
  if (end.end === 'failed') throw ApplicationFailure.nonRetryable(end.error.detail, end.error.code);
  return { run_id, status: 'completed' };
}

const OVER: readonly StageStatus[] = ['completed', 'failed', 'skipped', 'compensated', 'cancelled'];

async function stagesToEnd(run: RunContext, { plan, states }: OpenedRun): Promise<End> {
  const { control } = run;
  const status = states.map((state) => state.status);
  const running = new Map<number, Promise<void>>();
  let failure: FailureRecord | null = null;
  let stirred = false;
  let broken: { thrown: unknown } | null = null;

  const isOver = (stage: number) => OVER.includes(status[stage] ?? 'pending');
  const next = () =>
    plan.flatMap(({ needs }, stage) => (!isOver(stage) && !running.has(stage) && needs.every(isOver) ? [stage] : []));

  async function one(stage: number): Promise<void> {
    const of = plan[stage];
    if (!of) return;
    const blocker = blockerOf(stage);
    if (blocker !== null) {
      const reason = `stage ${blocker} failed, and what depends on it is skipped`;
      await pipelineRows.settleStage({ ...run.ref, stage, item: -1, try: 0, status: 'skipped', reason, error: null });
      status[stage] = 'skipped';
      return;
    }
    const ended = await runStageToEnd(run, stage, of, triedBefore(states[stage]));
    if (ended.end === 'yielded') return;
    if (ended.end !== 'failed') {
      status[stage] = ended.end;
      return;
    }
    const after = await afterFailure(run, plan, stage, ended);
    status[stage] = after.status;
    if (!after.failsRun) return;
    failure ??= { code: ended.error.code, detail: `Stage ${of.name}: ${ended.error.detail}` };
    control.failing = true;
  }

  /** The failed stage on account of which `stage` is skipped, whatever its own condition says. */
  function blockerOf(stage: number): string | null {
    for (const need of plan[stage]?.needs ?? []) {
      if (status[need] === 'failed' && plan[need]?.on_failure === 'skip') return plan[need].name;
      const further = status[need] === 'skipped' ? blockerOf(need) : null;
      if (further !== null) return further;
    }
    return null;
  }

  try {
    for (;;) {
      // What gave way stays as it is: this run of the workflow does not begin it again.
      const begin = control.yields() || control.paused ? [] : next();
      for (const stage of begin) {
        const done = one(stage)
          .catch((thrown: unknown) => {
            broken ??= { thrown };
          })
          .finally(() => {
            running.delete(stage);
            stirred = true;
          });
        running.set(stage, done);
      }
      const { thrown } = broken ?? ({} as { thrown?: unknown });
      if (thrown !== undefined) throw thrown;
      if (running.size === 0) {
        if (failure !== null) return { end: 'failed', error: failure };
        if (plan.every((_, stage) => isOver(stage))) return { end: 'completed' };
        if (control.longEnough()) return { end: 'continue' };
      }
      const { paused } = control;
      await condition(() => stirred || control.paused !== paused || (running.size === 0 && control.longEnough()));
      stirred = false;
    }
  } catch (thrown) {
    // Cancelled, or broken: nothing is left behind running.
    control.failing = true;
    await CancellationScope.nonCancellable(() => Promise.allSettled([...running.values()]));
    throw thrown;
  }
}

/** A try that gave way in its middle goes on as the same one. */
function triedBefore(state: StageState | undefined): number {
  const { attempt, status } = state ?? { attempt: 0, status: 'pending' };
  return status === 'running' ? Math.max(0, attempt - 1) : attempt;
}
