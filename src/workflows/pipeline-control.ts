/** What steers a run from outside and from within: paused, called off by a failure, or about to continue as new. */
import { CancellationScope, condition, defineUpdate, setHandler, workflowInfo } from '@temporalio/workflow';
import { HISTORY_LIMIT, MESSAGES } from '../schema/names.ts';
import type { Decision, DecisionAnswer, RunPipelineInput, RunRef } from '../schema/pipeline-flow.ts';
import { pipelineRows } from './pipeline-steps.ts';

export const pauseRunUpdate = defineUpdate<string>(MESSAGES.pause);
export const resumeRunUpdate = defineUpdate<string>(MESSAGES.resume);
export const decideUpdate = defineUpdate<DecisionAnswer, [Decision]>(MESSAGES.decide);

export interface RunControl {
  paused: boolean;
  /** Another stage has failed: nothing new begins. */
  failing: boolean;
  /** Status of approvals that were settled while this run of the workflow lasts. */
  settled: Map<string, string>;
  /** Whether nothing new may begin: what waits gives way, what runs goes on to its end. */
  yields(): boolean;
  /** Whether the history is long enough to begin another. */
  longEnough(): boolean;
  /** Waits while the run is paused; true when it may go on, false when it is to give way. */
  mayBegin(): Promise<boolean>;
}

/** Pausing lets what runs go on to its end and begins nothing new. Answers come also when a cancellation overtakes them. */
export function runControl(input: RunPipelineInput, ref: RunRef): RunControl {
  const limit = input.history_limit ?? HISTORY_LIMIT;
  const control: RunControl = {
    paused: input.paused ?? false,
    failing: false,
    settled: new Map(),
    longEnough: () => workflowInfo().historyLength >= limit || workflowInfo().continueAsNewSuggested,
    yields: () => control.failing || control.longEnough(),
    async mayBegin() {
      await condition(() => !control.paused || control.yields());
      return !control.yields();
    },
  };
  const turn = (paused: boolean) =>
    CancellationScope.nonCancellable(async () => {
      control.paused = paused;
      return pipelineRows.setRunStatus({ ...ref, paused });
    });
  setHandler(pauseRunUpdate, () => turn(true));
  setHandler(resumeRunUpdate, () => turn(false));
  setHandler(decideUpdate, (decision) =>
    CancellationScope.nonCancellable(async () => {
      const answer = await pipelineRows.settleApproval({ ...decision, workflow_id: ref.workflow_id });
      control.settled.set(decision.approval_id, answer.status);
      return answer;
    }),
  );
  return control;
}
