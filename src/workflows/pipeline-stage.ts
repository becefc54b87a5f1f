/** One stage of a run from its turn to its end: planned, approved, tried as often as it may, item by item where it has items. */
import { condition, isCancellation, patched } from '@temporalio/workflow';
import type { PlannedStage, RunRef, StagePlan } from '../schema/pipeline-flow.ts';
import type { FailureRecord } from '../schema/tables.ts';
import { failureOf } from './failure-of.ts';
import type { RunControl } from './pipeline-control.ts';
import { pipelineRows, stageSteps } from './pipeline-steps.ts';
import { oneTry, type Tried } from './pipeline-try.ts';

/** `yielded`: not over; a later run of the workflow, or none, goes on with it. */
export type StageEnd =
  | { end: 'completed' | 'skipped' | 'yielded' }
  | { end: 'failed'; error: FailureRecord; tries: number };

/** What is the same for all stages of a run. */
export interface RunContext {
  ref: RunRef;
  control: RunControl;
}

/** Trying again cannot help: what is asked for is wrong, or may not be done. */
const NEVER_AGAIN = [
  'invalid_pipeline',
  'invalid_input',
  'forbidden',
  'unauthenticated',
  'sql_denied',
  'egress_denied',
  'wrong_type',
  'conflict',
];

/** Whether it stops for a pause, the failure of another stage, or a long history: a compensation does not. */
export type Gives = 'way' | 'no way';

/** Compensating stages once ran without asking and without their items: so go the runs that began then. */
const COMPENSATION_AS_ANY = 'compensating stages ask and have items';

/** `tried`: tries that an earlier run of the workflow made. */
export async function runStageToEnd(
  run: RunContext,
  stage: number,
  plan: StagePlan,
  tried: number,
  gives: Gives = 'way',
): Promise<StageEnd> {
  const planned = await pipelineRows.planStage({ ...run.ref, stage });
  if (planned.action === 'skip') return { end: 'skipped' };
  if (planned.action === 'fail') return { end: 'failed', error: planned.error, tries: tried };
  const asAny = () => gives === 'way' || patched(COMPENSATION_AS_ANY);
  if (plan.approval && asAny()) {
    const answer = await approval(run, stage, gives);
    if (answer !== 'approved') return answer;
  }
  if (planned.items === null || !asAny()) return tries(run, { stage, item: -1, plan, way: planned.way }, tried, gives);
  return eachItem(run, stage, plan, planned, planned.items, gives);
}

/** Waits for the decision or the deadline; both are settled in the row, so that only one of them counts. */
async function approval({ ref, control }: RunContext, stage: number, gives: Gives): Promise<'approved' | StageEnd> {
  const asked = await pipelineRows.openApproval({ ...ref, stage });
  const { approval_id } = asked;
  let status: string = asked.status;
  if (status === 'pending') {
    const left = Math.max(1, asked.deadline - Date.now());
    const yields = () => gives === 'way' && control.yields();
    await condition(() => control.settled.has(approval_id) || yields(), left);
    const settled = control.settled.get(approval_id);
    if (settled === undefined && yields()) return { end: 'yielded' };
    const approve = asked.on_timeout === 'approve';
    const { workflow_id } = ref;
    status =
      settled ?? (await pipelineRows.settleApproval({ approval_id, workflow_id, decision: 'expire', approve })).status;
  }
  if (status === 'approved') return 'approved';
  const error =
    status === 'expired'
      ? { code: 'approval_expired', detail: 'Nobody decided in time' }
      : { code: 'approval_rejected', detail: 'The approval was refused' };
  return { end: 'failed', error, tries: 0 };
}

/** Tries until it works or may not be tried any more, ever later. */
async function tries({ ref, control }: RunContext, what: Tried, tried: number, gives: Gives): Promise<StageEnd> {
  const { stage, item, plan } = what;
  for (let count = tried + 1; ; count += 1) {
    // An item that has begun goes on to its end: how often it was tried is known to this run of the workflow only.
    const begins = item < 0 || count === 1;
    if (gives === 'way' && begins && !(await control.mayBegin())) return { end: 'yielded' };
    const at = { ...ref, stage, item, try: count };
    try {
      const ended = await oneTry(at, what, () => gives === 'way' && item < 0 && control.longEnough());
      return { end: ended === 'done' ? 'completed' : 'yielded' };
    } catch (thrown) {
      if (isCancellation(thrown)) throw thrown;
      const error = failureOf(thrown);
      if (count >= plan.max_attempts || NEVER_AGAIN.includes(error.code)) return { end: 'failed', error, tries: count };
      await pipelineRows.settleStage({ ...at, status: 'retrying', reason: error.detail, error });
      const wait = plan.backoff_seconds * 2 ** (count - 1) * 1000;
      if (wait > 0) await condition(() => gives === 'way' && item < 0 && control.yields(), wait);
    }
  }
}

/** All items are tried, so many at once; the stage fails when any of them did. */
async function eachItem(
  run: RunContext,
  stage: number,
  plan: StagePlan,
  planned: Extract<PlannedStage, { action: 'run' }>,
  items: number,
  gives: Gives,
): Promise<StageEnd> {
  const over = new Set(planned.over);
  const left = Array.from({ length: items }, (_, item) => item).filter((item) => !over.has(item));
  let yielded = false;
  const oneAfterAnother = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      const ended = await tries(run, { stage, item, plan, way: planned.way }, 0, gives);
      if (ended.end === 'yielded') yielded = true;
      if (ended.end !== 'failed') continue;
      const { error, tries: count } = ended;
      await pipelineRows.settleStage({ ...run.ref, stage, item, try: count, status: 'failed', reason: null, error });
    }
  };
  await Promise.all(Array.from({ length: Math.min(plan.concurrency, left.length) }, oneAfterAnother));
  if (yielded) return { end: 'yielded' };
  const finished = await pipelineRows.finishItems({ ...run.ref, stage });
  if (finished.next === 'failed') return { end: 'failed', error: finished.error, tries: 1 };
  if (finished.next === 'completed') return { end: 'completed' };
  try {
    await stageSteps(plan.timeout_seconds).mergeItems({ ...run.ref, stage });
    return { end: 'completed' };
  } catch (thrown) {
    if (isCancellation(thrown)) throw thrown;
    return { end: 'failed', error: failureOf(thrown), tries: 1 };
  }
}
