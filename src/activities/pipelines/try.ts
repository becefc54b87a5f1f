/** Around the work of one try: its row begins and ends, progress is told, heartbeats go out, time is limited. */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { StageRef } from '../../schema/pipeline-flow.ts';
import type { StageOutput } from '../../schema/stages/contract.ts';
import { toFailure } from '../../schema/unknown-error.ts';
import type { Trx } from '../../stores/database.ts';
import { tellProgress } from '../../stores/pipeline-progress.ts';
import { lockRun, type PipelineRunRow } from '../../stores/pipeline-runs.ts';
import { beginItems, beginTry, completeStage, moveProgress } from '../../stores/pipeline-stages.ts';
import { keepAlive } from '../context.ts';
import { countStage, tellItems } from './settle.ts';

/** Least time between two writes of a stage's progress. */
const TELL_EVERY_MS = 1_000;
/** A component that is away comes back; after so many times it is the stage that has failed. */
const MOST_OUTAGES = 20;

export interface Work {
  signal: AbortSignal;
  progress(share: number): void;
}

/**
 * Runs `work` once for the try that `ref` names, from its beginning to its end. Throws Failure('timeout') after
 * `seconds`. What fails goes to the workflow, which knows whether to try again; only an outage is waited out here, by the
 * engine's own retries. `putOff` of those were none: a limit put the try off.
 */
export async function tryStage(
  deps: Deps,
  ref: StageRef,
  seconds: number,
  work: (work: Work) => Promise<StageOutput>,
  putOff = 0,
): Promise<void> {
  if (!(await begin(deps, ref))) return;
  await end(deps, ref, await guarded(deps, ref, seconds, work, putOff));
}

/** Heartbeats, time and failures around a piece of a try. */
export async function guarded<T>(
  deps: Deps,
  ref: StageRef,
  seconds: number,
  work: (work: Work) => Promise<T>,
  putOff = 0,
): Promise<T> {
  const cancelled = Context.current().cancellationSignal;
  const late = AbortSignal.timeout(seconds * 1000);
  const stopHeartbeats = keepAlive(() => null);
  const teller = progressTeller(deps, ref);
  try {
    return await work({ signal: AbortSignal.any([cancelled, late]), progress: teller.tell });
  } catch (error) {
    if (cancelled.aborted) throw new CancelledFailure('cancelled');
    if (late.aborted) throw final(new Failure('timeout', `It took more than ${seconds} seconds`));
    if (error instanceof CancelledFailure) throw error;
    const failure = toFailure(error);
    if (failure.code === 'internal') deps.log.error({ err: error, ...ref }, 'a stage broke');
    const outage = failure.code === 'unavailable' && Context.current().info.attempt - putOff < MOST_OUTAGES;
    throw outage ? failure : final(failure);
  } finally {
    await teller.idle();
    stopHeartbeats();
  }
}

/** Said once to the workflow, not repeated by the engine. */
function final(failure: Failure): ApplicationFailure {
  return ApplicationFailure.create({ type: failure.code, message: failure.message, nonRetryable: true });
}

/** False when the stage is over already: a repeat of a try whose answer was lost. */
export async function begin(deps: Deps, ref: StageRef): Promise<boolean> {
  return deps.db.transaction().execute(async (trx) => {
    return beginWithin(trx, await lockRun(trx, ref), ref);
  });
}

/** Also the stage of an item begins with it, and is told. */
export async function beginWithin(
  trx: Trx,
  run: PipelineRunRow,
  ref: StageRef,
  taskId: string | null = null,
): Promise<boolean> {
  const began = await beginTry(trx, ref, taskId);
  const tells = ref.item < 0 ? began : began && (await beginItems(trx, ref));
  if (tells) await tellProgress(trx, run, `${ref.stage}/${ref.try}/running`);
  return began;
}

/** The end of a stage or an item that went well, told in the same transaction. */
export async function end(deps: Deps, ref: StageRef, output: StageOutput): Promise<void> {
  const row = await deps.db.transaction().execute(async (trx) => {
    const run = await lockRun(trx, ref);
    if (!(await completeStage(trx, ref, output))) return undefined;
    if (ref.item >= 0) await tellItems(trx, run, ref.stage);
    else await tellProgress(trx, run, `${ref.stage}/completed`);
    return trx
      .selectFrom('pipeline_stages')
      .selectAll()
      .where('run_id', '=', ref.run_id)
      .where('stage', '=', ref.stage)
      .where('item', '=', ref.item)
      .executeTakeFirst();
  });
  if (row) countStage(deps, row);
}

/** Writes one after another and drops what comes too fast; a write that fails is no failure of the stage. */
function progressTeller(deps: Deps, ref: StageRef) {
  let writing: Promise<void> | undefined;
  let last = 0;
  const write = async (share: number): Promise<void> => {
    try {
      await deps.db.transaction().execute(async (trx) => {
        const run = await lockRun(trx, ref);
        if (!(await moveProgress(trx, ref, share)) || ref.item >= 0) return;
        await tellProgress(trx, run, `${ref.stage}/${ref.try}/${Math.round(share * 100)}`);
      });
    } catch (error) {
      deps.log.debug({ err: error, ...ref }, 'progress was not written');
    }
  };
  return {
    tell(share: number): void {
      const bounded = Math.min(0.99, Math.max(0, share));
      if (writing !== undefined || Date.now() - last < TELL_EVERY_MS) return;
      last = Date.now();
      writing = write(bounded).finally(() => {
        writing = undefined;
      });
    },
    idle: async () => writing,
  };
}
