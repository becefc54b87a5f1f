/** Ingests one file: validate and unpack, parse and extract, embed and index, complete. */
import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { IngestInput, IngestProgress, IngestResult, Step, StepResult } from '../schema/ingestion.ts';
import { type FileStatus, MESSAGES } from '../schema/names.ts';
import { failureOf } from './failure-of.ts';
import { fetchSteps, fileSteps, parseSteps, rowSteps, vectorSteps } from './steps.ts';

export const progressQuery = defineQuery<IngestProgress>(MESSAGES.progress);
export const pauseUpdate = defineUpdate<FileStatus>(MESSAGES.pause);
export const resumeUpdate = defineUpdate<FileStatus>(MESSAGES.resume);
export const pauseSignal = defineSignal(MESSAGES.pause);
export const resumeSignal = defineSignal(MESSAGES.resume);

export async function ingestFile(input: IngestInput): Promise<IngestResult> {
  const { file_id, owner, source, attempt } = input;
  const step: Step = { file_id, owner, source, attempt, workflow_id: workflowInfo().workflowId };
  const state: IngestProgress = { file_id, status: 'pending', phase: 'upload', progress: 0 };
  const gate = pauseGate(state, step);

  setHandler(progressQuery, () => state);
  setHandler(pauseSignal, gate.pause);
  setHandler(resumeSignal, gate.resume);
  // Answers come also when a cancellation overtakes the question.
  setHandler(pauseUpdate, () =>
    CancellationScope.nonCancellable(async () => {
      gate.pause();
      await condition(() => !gate.wanted() || (state.status !== 'processing' && state.status !== 'pending'));
      return state.status;
    }),
  );
  setHandler(resumeUpdate, () =>
    CancellationScope.nonCancellable(async () => {
      gate.resume();
      await condition(() => state.status !== 'paused');
      return state.status;
    }),
  );

  try {
    state.status = 'processing';
    const from = input.import;
    if (from !== null) await fetchSteps.fetchFile({ ...step, from });
    await fileSteps.validateFile(step);
    Object.assign(state, { phase: 'processing', progress: 5 });
    await gate.throughPauses(() => parseSteps(source).parseFile(step));
    Object.assign(state, { phase: 'indexing', progress: 60 });
    await gate.throughPauses(() => vectorSteps.indexFile(step));
    // From here on a cancellation comes too late: half of a completion cannot be taken back.
    return await CancellationScope.nonCancellable(async () => {
      const result = await rowSteps.completeFile(step);
      Object.assign(state, { status: 'completed', phase: 'completed', progress: 100 });
      await condition(allHandlersFinished);
      return result;
    });
  } catch (error) {
    const cancelled = isCancellation(error);
    const failure = cancelled ? null : failureOf(error);
    const status = cancelled ? 'cancelled' : 'failed';
    await CancellationScope.nonCancellable(async () => {
      await vectorSteps.abandonFile({ ...step, status, error: failure });
      state.status = status;
      await condition(allHandlersFinished);
    });
    if (failure === null) throw error;
    throw ApplicationFailure.nonRetryable(failure.detail, failure.code);
  }
}

/** Pausing cancels the running step, which stops at its next checkpoint; resuming runs it again from there. */
function pauseGate(state: IngestProgress, step: Step) {
  let wanted = false;
  let running: CancellationScope | undefined;

  async function throughPauses(run: () => Promise<StepResult>): Promise<void> {
    for (;;) {
      await waitWhilePaused();
      const result = await interruptible(run);
      if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
      if (result?.done) return;
    }
  }

  async function waitWhilePaused(): Promise<void> {
    // Again, because a second pause may arrive while the first one is being lifted.
    while (wanted) {
      await rowSteps.setPaused({ ...step, paused: true });
      state.status = 'paused';
      await condition(() => !wanted);
      await rowSteps.setPaused({ ...step, paused: false });
      state.status = 'processing';
    }
  }

  /** Undefined: the step ended without a word because it was asked to stop; its checkpoint stands in the row. */
  async function interruptible(run: () => Promise<StepResult>): Promise<StepResult | undefined> {
    const scope = new CancellationScope();
    running = scope;
    try {
      return await scope.run(run);
    } catch (error) {
      const stopped = scope.consideredCancelled && !CancellationScope.current().consideredCancelled;
      if (!stopped || !(isCancellation(error) || diedWhileStopping(error))) throw error;
      return undefined;
    } finally {
      running = undefined;
    }
  }

  return {
    pause: () => {
      wanted = true;
      running?.cancel();
    },
    resume: () => {
      wanted = false;
    },
    wanted: () => wanted,
    throughPauses,
  };
}

/** A worker that dies after it was asked to stop is not retried by the engine; for a pause that is a stop like any other. */
function diedWhileStopping(error: unknown): boolean {
  return error instanceof ActivityFailure && error.cause?.name === 'TimeoutFailure';
}
