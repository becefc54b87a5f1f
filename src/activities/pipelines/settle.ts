/** Short steps of a run: a stage that ended badly or waits, all items of one being done, pausing, the end. */
import type { Deps } from '../../deps.ts';
import { isFailureCode } from '../../schema/failures.ts';
import type { FinishedItems, RunRef, SettleInput } from '../../schema/pipeline-flow.ts';
import type { DatasetRef, StageOutput } from '../../schema/stages/contract.ts';
import type { Trx } from '../../stores/database.ts';
import { tellProgress } from '../../stores/pipeline-progress.ts';
import { LIVE_RUNS, lockRun, type PipelineRunRow, patchRun } from '../../stores/pipeline-runs.ts';
import {
  completeStage,
  countItems,
  findStage,
  itemsOf,
  OVER,
  type StageRow,
  setStage,
} from '../../stores/pipeline-stages.ts';

/** Of items together; their number is told. */
const MOST_ARTIFACTS = 1_000;

/** Writes how a stage or an item stands when it did not end well. */
export async function settleStage(deps: Deps, input: SettleInput): Promise<void> {
  const ended = await deps.db.transaction().execute(async (trx) => {
    const run = await lockRun(trx, input);
    const { status, reason, error } = input;
    const changed = await setStage(trx, input, { status, reason, error });
    if (!changed) return null;
    if (input.item >= 0) await tellItems(trx, run, input.stage);
    else await tellProgress(trx, run, `${input.stage}/${input.try}/${status}`);
    return OVER.includes(status) ? findStage(trx, input) : null;
  });
  if (ended) countStage(deps, ended);
}

/**
 * The end of a `for_each`: completed when every item is, with the counts as its summary. A failure is settled by the
 * workflow, by the stage's own rule; tables of several items are put together first (`mergeItems`).
 */
export async function finishItems(deps: Deps, input: RunRef & { stage: number }): Promise<FinishedItems> {
  return deps.db.transaction().execute(async (trx) => {
    const run = await lockRun(trx, input);
    const items = await itemsOf(trx, input.run_id, input.stage);
    const failed = items.filter(({ status }) => status !== 'completed');
    const [first] = failed;
    if (first) {
      const code = first.error && isFailureCode(first.error.code) ? first.error.code : 'execution_error';
      const detail = `${failed.length} of ${items.length} items failed; item ${first.item}: ${first.error?.detail ?? first.status}`;
      return { next: 'failed', error: { code, detail } };
    }
    if (items.some(({ output }) => output?.dataset)) return { next: 'merge' };
    const output = itemsOutput(items, null);
    const done = await completeStage(trx, { ...input, item: -1 }, output);
    if (done) await tellProgress(trx, run, `${input.stage}/completed`);
    return { next: 'completed' };
  });
}

/** What a stage with items leaves: the artifacts of all (a thousand at most), the counts, and their one table where they made any. */
export function itemsOutput(items: readonly StageRow[], dataset: DatasetRef | null): StageOutput {
  const artifacts = items.flatMap(({ item, output }) =>
    (output?.artifacts ?? []).map((artifact) => ({ ...artifact, name: `${item}/${artifact.name}` })),
  );
  const rows = items.reduce((sum, { output }) => sum + (output?.dataset?.rows ?? 0), 0);
  const listed = artifacts.slice(0, MOST_ARTIFACTS);
  return { dataset, artifacts: listed, summary: { items: items.length, rows, artifacts: artifacts.length } };
}

/** Carries the share of items that are over to the stage, by whole hundredths: a long list is not told item by item. */
export async function tellItems(trx: Trx, run: PipelineRunRow, stage: number): Promise<void> {
  const { total, over } = await countItems(trx, run.run_id, stage);
  const hundredth = (count: number) => Math.floor((count * 100) / total);
  if (over > 0 && hundredth(over) === hundredth(over - 1)) return;
  await trx
    .updateTable('pipeline_stages')
    .set({ progress: total === 0 ? 1 : over / total })
    .where('run_id', '=', run.run_id)
    .where('stage', '=', stage)
    .where('item', '=', -1)
    .execute();
  await tellProgress(trx, run, `${stage}/items/${run.attempt}/${over}`);
}

/** Pausing and going on; a run that is over stays so. Resolves with the status in force. */
export async function setRunStatus(deps: Deps, input: RunRef & { paused: boolean }): Promise<string> {
  return deps.db.transaction().execute(async (trx) => {
    const run = await lockRun(trx, input);
    if (!LIVE_RUNS.includes(run.status)) return run.status;
    const status = input.paused ? 'paused' : 'running';
    await patchRun(trx, run.run_id, { status });
    return status;
  });
}

/** Counted by whoever commits the end. */
export function countStage(deps: Pick<Deps, 'metrics'>, row: StageRow): void {
  const { type, status, started_at, ended_at, error } = row;
  if (started_at && ended_at) {
    const seconds = (ended_at.getTime() - started_at.getTime()) / 1000;
    deps.metrics.stageSeconds.observe({ type, outcome: status }, seconds);
  }
  if (error && status === 'failed') deps.metrics.failures.inc({ room: 'pipelines', code: error.code });
}
