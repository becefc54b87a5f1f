/** What is to be done with a stage whose turn has come: skip it, run it, or fail it for an expression that does not hold. */
import { Failure } from '../../schema/failures.ts';
import { TASK_TYPES, type TaskType } from '../../schema/names.ts';
import type { PlannedStage, RunRef, StageWay } from '../../schema/pipeline-flow.ts';
import type { StageDefinition } from '../../schema/pipelines.ts';
import { fits } from '../../stores/agents.ts';
import type { Trx } from '../../stores/database.ts';
import { tellProgress } from '../../stores/pipeline-progress.ts';
import { lockRun } from '../../stores/pipeline-runs.ts';
import {
  findStage,
  insertItems,
  itemsOf,
  NOT_NEEDED,
  OVER,
  removeItems,
  resetStages,
  setStage,
} from '../../stores/pipeline-stages.ts';
import { conditionHolds, itemsOfStage, type PipelineDeps, type RunData, readRun, stageOf } from './run-data.ts';

/** What the expressions of a stage say: nothing of it is written yet. */
type Judged = { runs: false } | { runs: true; items: number | null } | { fault: Failure };

/**
 * Its expressions may take seconds of a turn in the evaluators: no row is locked and no connection held meanwhile. What
 * they read stays true of this attempt, since stages upstream are over; of another attempt nothing is written (`lockRun`).
 */
export async function planStage(deps: PipelineDeps, input: RunRef & { stage: number }): Promise<PlannedStage> {
  const { run_id, stage } = input;
  const data = await readRun(deps.db, run_id);
  const judged = await judge(deps, data, stage);
  return deps.db.transaction().execute(async (trx) => {
    const run = await lockRun(trx, input);
    const place = { run_id, stage, item: -1 };
    // A compensating stage is over from the start, until it is needed: then all of it is done, whatever an earlier
    // attempt did. Asked under the lock: what another call of this step began since is not undone.
    if ((await findStage(trx, place))?.reason === NOT_NEEDED) {
      await removeItems(trx, run_id, stage);
      await resetStages(trx, run_id, [stage]);
    }
    if ('fault' in judged) {
      return { action: 'fail', error: { code: judged.fault.code, detail: judged.fault.message } };
    }
    if (!judged.runs) {
      const reason = 'its condition does not hold';
      await setStage(trx, place, { status: 'skipped', reason, error: null });
      await tellProgress(trx, run, `${stage}/skipped`);
      return { action: 'skip', reason };
    }
    const { items } = judged;
    const over = items === null ? [] : await openItems(trx, data, input, items);
    return { action: 'run', way: await wayOf(trx, data, stage), items, over };
  });
}

async function judge(deps: PipelineDeps, data: RunData, stage: number): Promise<Judged> {
  try {
    if (!(await conditionHolds(deps, data, stage))) return { runs: false };
    const items = await itemsOfStage(deps, data, stage);
    return { runs: true, items: items?.length ?? null };
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'invalid_pipeline') throw error;
    return { fault: error };
  }
}

async function openItems(
  trx: Trx,
  data: RunData,
  { run_id, stage }: { run_id: string; stage: number },
  count: number,
): Promise<number[]> {
  const { name, type } = stageOf(data, stage);
  if (count > 0) await insertItems(trx, { run_id, stage, name, type, count });
  const rows = await itemsOf(trx, run_id, stage);
  return rows.filter(({ status }) => OVER.includes(status)).map(({ item }) => item);
}

async function wayOf(trx: Trx, data: RunData, index: number): Promise<StageWay> {
  const stage = stageOf(data, index);
  if (stage.type === 'operation') return 'operation';
  if (await goesToAgent(trx, data.run.owner, stage, stage.type)) return 'task';
  const handsOut = stage.type === 'processing' && stage.config?.agent !== undefined;
  return handsOut ? 'batches' : 'builtin';
}

/** `auto` with capabilities asks whether an agent that is at work now, busy or not, could do it. */
async function goesToAgent(trx: Trx, owner: string, stage: StageDefinition, type: TaskType): Promise<boolean> {
  const { executor = 'auto', capabilities = [] } = stage;
  if (executor !== 'auto') return executor === 'agent';
  return capabilities.length > 0 && (await fits(trx, { owner, wanted: null, type, capabilities }));
}

export function isTaskType(type: string): type is TaskType {
  return (TASK_TYPES as readonly string[]).includes(type);
}
