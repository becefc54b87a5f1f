/** Runs one task: waits for its turn, has an agent or the house do it, and tries again as often as it may. */
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  defineSignal,
  defineUpdate,
  isCancellation,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { HISTORY_LIMIT, MESSAGES } from '../schema/names.ts';
import type {
  CarriedTask,
  EndCause,
  NextStep,
  RunTaskInput,
  TaskAssigned,
  TaskOutcome,
  TaskReport,
  TaskReportAnswer,
  TaskStep,
  TaskTurn,
} from '../schema/task-flow.ts';
import { failureOf } from './failure-of.ts';
import { answerSteps, askSteps, builtinSteps, callSteps, courtesySteps, firstSteps, taskRows } from './task-steps.ts';

export const reportUpdate = defineUpdate<TaskReportAnswer, [TaskReport]>(MESSAGES.report);
export const assignedSignal = defineSignal<[TaskAssigned]>(MESSAGES.assigned);
export const agentLostSignal = defineSignal<[{ attempt: number }]>(MESSAGES.agentLost);

/** A task that waits looks after itself this rarely: whoever gives out a slot tells it. */
const FIRST_PATIENCE_MS = 120_000;
const LONGEST_PATIENCE_MS = 600_000;

interface State {
  attempt: number;
  stage: CarriedTask['stage'];
  /** The latest attempt that was given to somebody, as far as we were told. */
  assigned: TaskAssigned;
  /** The latest attempt whose agent is gone, as far as we were told. */
  lost: number;
  /** What was accepted for the current attempt. */
  report: TaskReport | null;
  outcome: TaskOutcome | null;
}

/**
 * Resolves with how the task ended. A failed one fails the workflow, unless a parent waits for it; a cancelled one is
 * cancelled.
 */
export async function runTask(input: RunTaskInput): Promise<TaskOutcome> {
  const begun = input.carried ?? { attempt: input.attempt, stage: input.assigned ? 'begin' : 'turn' };
  const state: State = { ...begun, assigned: { attempt: 0 }, lost: 0, report: null, outcome: null };
  setHandler(assignedSignal, (told) => {
    if (told.attempt > state.assigned.attempt) state.assigned = told;
  });
  setHandler(agentLostSignal, ({ attempt }) => {
    state.lost = Math.max(state.lost, attempt);
  });
  setHandler(reportUpdate, (report) => take(state, report));
  const outcome = await untilOver(input, state).catch((error: unknown) => {
    if (!isCancellation(error)) throw error;
    return CancellationScope.nonCancellable(() => cancel(input, state));
  });
  state.outcome = outcome;
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  if (outcome.status === 'cancelled') throw new CancelledFailure('The task was cancelled');
  if (outcome.status === 'failed' && workflowInfo().parent === undefined) {
    const { code, detail } = outcome.error ?? { code: 'internal', detail: 'The task failed' };
    throw ApplicationFailure.nonRetryable(detail, code);
  }
  return outcome;
}

/** One report an attempt; it is answered when the attempt is over. */
async function take(state: State, report: TaskReport): Promise<TaskReportAnswer> {
  if (state.outcome !== null || state.report !== null || report.attempt !== state.attempt) {
    return { accepted: false, status: statusOf(state) ?? 'running' };
  }
  state.report = report;
  // Answers come also when a cancellation overtakes the report.
  await CancellationScope.nonCancellable(() =>
    condition(() => state.outcome !== null || state.attempt > report.attempt),
  );
  return { accepted: true, status: statusOf(state) ?? 'retrying' };
}

function statusOf({ outcome }: State): string | undefined {
  return outcome?.status;
}

async function untilOver(input: RunTaskInput, state: State): Promise<TaskOutcome> {
  for (;;) {
    const next = await oneAttempt(input, state);
    if (next.status !== 'retrying') return outcomeOf(input, next);
    Object.assign(state, { attempt: next.attempt, stage: 'begin', report: null });
    if (next.backoff_ms > 0) await sleep(next.backoff_ms);
  }
}

async function oneAttempt(input: RunTaskInput, state: State): Promise<NextStep> {
  const step = stepOf(input, state);
  let patience = FIRST_PATIENCE_MS;
  let lookIn = 0;
  for (;;) {
    if (interrupted(state)) return finish(step, state.report ? 'reported' : 'lost');
    await continueWhenLong(input, state);
    if (state.stage === 'turn') {
      const told = await condition(() => state.assigned.attempt >= state.attempt || interrupted(state), patience);
      patience = told ? FIRST_PATIENCE_MS : Math.min(patience * 2, LONGEST_PATIENCE_MS);
      state.stage = told && state.assigned.working === true ? 'work' : 'begin';
      continue;
    }
    if (state.stage === 'work' && lookIn > 0 && (await condition(() => interrupted(state), lookIn))) continue;
    const turn = await theTurn(input, state, step);
    if (turn === null) continue;
    if (turn.kind === 'over') return turn.next;
    state.stage = turn.kind === 'waiting' ? 'turn' : 'work';
    lookIn = turn.kind === 'working' ? turn.look_in_ms : 0;
  }
}

/** An agent's word came, or that it is gone. */
function interrupted(state: State): boolean {
  return state.report !== null || state.lost >= state.attempt;
}

/** Null: interrupted. */
async function theTurn(input: RunTaskInput, state: State, step: TaskStep): Promise<TaskTurn | null> {
  try {
    let turn: TaskTurn | null;
    if (state.stage === 'work') turn = await taskRows.lookAfter(step);
    else turn = await begin(input, state, step);
    if (turn?.kind === 'builtin') {
      turn = await interruptible(state, () => builtinSteps(input.timeout_seconds).runBuiltin(step));
    }
    return turn?.kind === 'quiet' ? await interruptible(state, () => askSteps.askQuietAgent(step)) : turn;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { kind: 'over', next: await taskRows.finishAttempt({ ...step, cause: 'broken', error: failureOf(error) }) };
  }
}

async function begin(input: RunTaskInput, state: State, step: TaskStep): Promise<TaskTurn | null> {
  const seconds = input.timeout_seconds;
  if (input.in_place) {
    const turn = await interruptible(state, () => firstSteps.beginAttempt(step));
    if (turn?.kind !== 'calling') return turn;
    try {
      return await interruptible(state, () => answerSteps(turn.queue, seconds).beginAttempt(step));
    } catch (error) {
      // The process with the call is gone: another one calls again, under the same id.
      if (isCancellation(error)) throw error;
    }
  }
  return interruptible(state, () => callSteps(seconds).beginAttempt(step));
}

/** Runs a step until it is done, or until it does not matter any more. */
async function interruptible(state: State, run: () => Promise<TaskTurn>): Promise<TaskTurn | null> {
  const scope = new CancellationScope();
  let done = false;
  const running = scope.run(run).finally(() => {
    done = true;
  });
  running.catch(() => {});
  await condition(() => done || interrupted(state));
  if (done) return running;
  scope.cancel();
  return null;
}

function finish(step: TaskStep, cause: Exclude<EndCause, 'broken'>): Promise<NextStep> {
  return taskRows.finishAttempt({ ...step, cause });
}

/** A report that was accepted before goes first, and even then no other attempt is made. */
async function cancel(input: RunTaskInput, state: State): Promise<TaskOutcome> {
  const atWork = state.stage !== 'turn';
  const step = stepOf(input, state);
  let next = await finish(step, 'cancelled');
  while (next.status === 'retrying') next = await finish({ ...step, attempt: next.attempt }, 'cancelled');
  if (atWork && next.status === 'cancelled') await courtesySteps.tellCancelled(step).catch(() => {});
  return outcomeOf(input, next);
}

async function continueWhenLong(input: RunTaskInput, state: State): Promise<void> {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  if (historyLength < (input.history_limit ?? HISTORY_LIMIT) && !continueAsNewSuggested) return;
  const { attempt, stage } = state;
  await continueAsNew<typeof runTask>({ ...input, carried: { attempt, stage } });
}

function stepOf(input: RunTaskInput, state: State): TaskStep {
  return { task_id: input.task_id, attempt: state.attempt, workflow_id: workflowInfo().workflowId };
}

function outcomeOf(input: RunTaskInput, next: Exclude<NextStep, { status: 'retrying' }>): TaskOutcome {
  return { task_id: input.task_id, status: next.status, attempts: next.attempt, error: next.error };
}
