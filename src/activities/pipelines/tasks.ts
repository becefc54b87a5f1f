/** Stages, items and batches that are done as tasks: opened with their rows, and what they led to carried back. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { OpenedTask, StageRef } from '../../schema/pipeline-flow.ts';
import type { BatchRef } from '../../schema/stages/contract.ts';
import type { RunTaskInput, TaskOutcome } from '../../schema/task-flow.ts';
import { tellAssigned } from '../../services/tasks/settle.ts';
import { admitTask, type NewTask } from '../../services/tasks/submit.ts';
import { uuidV5 } from '../../stores/ids.ts';
import { tellProgress } from '../../stores/pipeline-progress.ts';
import { lockRun } from '../../stores/pipeline-runs.ts';
import { beginTry } from '../../stores/pipeline-stages.ts';
import { findTask } from '../../stores/tasks.ts';
import { batchConfig, isTaskType } from './plan-stage.ts';
import { inputsOf, prefixOf, type RunData, readRun, resolved, stageOf } from './run-data.ts';
import { outputFrom } from './run-operation.ts';
import { timeoutOf } from './run-stage.ts';
import { end } from './try.ts';

/** The task of one try, or of one of its batches: the same one however often this is repeated. */
export async function openStageTask(
  deps: Deps,
  input: StageRef & { batch: { index: number; ref: BatchRef } | null },
): Promise<OpenedTask> {
  const { batch, ...ref } = input;
  const place = `${ref.stage}/${ref.item}/${ref.try}/${batch?.index ?? -1}`;
  const task_id = `task-${uuidV5(`stage-task:${ref.workflow_id}/${place}`)}`;
  const opened = await deps.db.transaction().execute(async (trx) => {
    const run = await lockRun(trx, ref);
    const earlier = await findTask(trx, task_id);
    if (earlier) {
      const { timeout_seconds, owner } = earlier;
      return { input: { task_id, owner, attempt: 1, timeout_seconds, assigned: false }, others: [] };
    }
    const data = await readRun(trx, ref.run_id);
    const task: NewTask = batch ? batchTask(deps, data, ref, batch) : stageTask(deps, data, ref);
    const admitted = await admitTask(trx, deps, {
      ...task,
      task_id,
      owner: run.owner,
      pipeline_id: run.pipeline_id,
      run_id: run.run_id,
      stage: ref.stage,
    });
    if (!batch && (await beginTry(trx, ref, task_id)) && ref.item < 0) {
      await tellProgress(trx, run, `${ref.stage}/${ref.try}/running`);
    }
    return { input: admitted.run.input as RunTaskInput, others: admitted.others };
  });
  await tellAssigned(deps, opened.others);
  return { workflow_id: task_id, input: opened.input, owner: opened.input.owner, resource: `task:${task_id}` };
}

type TaskOfRun = Omit<NewTask, 'owner'>;

/** An agent gets the configuration, the keys of what reaches the stage, and what the run was given. */
function stageTask(deps: Deps, data: RunData, ref: StageRef): TaskOfRun & { owner: string } {
  const stage = stageOf(data, ref.stage);
  if (!isTaskType(stage.type)) throw new Failure('invalid_pipeline', 'An operation is no task');
  const config = resolved(data, ref.stage, ref.item, 'config');
  return {
    owner: data.run.owner,
    type: stage.type,
    payload: {
      stage: stage.name,
      config,
      inputs: inputsOf(data, ref.stage).map(({ name, dataset }) => ({ name, dataset: { ...dataset } })),
      input_data: data.run.input_data,
      parameters: data.run.parameters,
      ...(ref.item < 0 ? {} : { item: ref.item }),
    },
    timeout_seconds: timeoutOf(deps, data, ref.stage),
    // The stage's own rule says how often it is tried again.
    retry_count: 0,
    executor: 'agent',
    capabilities: stage.capabilities ?? [],
  };
}

function batchTask(
  deps: Deps,
  data: RunData,
  ref: StageRef,
  batch: { index: number; ref: BatchRef },
): TaskOfRun & { owner: string } {
  const agent = batchConfig(data, ref.stage).agent ?? { format: 'ndjson' as const };
  const limit = timeoutOf(deps, data, ref.stage);
  return {
    owner: data.run.owner,
    type: 'processing',
    payload: {
      ...agent.payload,
      stage: stageOf(data, ref.stage).name,
      batch: { index: batch.index, key: batch.ref.key, rows: batch.ref.rows, format: agent.format },
      parameters: data.run.parameters,
    },
    timeout_seconds: Math.min(agent.timeout ?? limit, limit),
    retry_count: agent.retry_count ?? 3,
    executor: 'agent',
    capabilities: agent.capabilities ?? stageOf(data, ref.stage).capabilities ?? [],
  };
}

/**
 * How the task stands; null while it is not over. What the agent answered to one that went well becomes the stage's output.
 */
export async function closeStageTask(
  deps: Deps,
  input: StageRef & { task_id: string; settles: boolean },
): Promise<TaskOutcome | null> {
  const { task_id, settles, ...ref } = input;
  const task = await findTask(deps.db, task_id);
  if (!task)
    return { task_id, status: 'failed', attempts: 0, error: { code: 'not_found', detail: 'The task is gone' } };
  const { status, attempt: attempts, error } = task;
  if (status !== 'completed' && status !== 'failed' && status !== 'cancelled') return null;
  if (status === 'completed' && settles) {
    const data = await readRun(deps.db, ref.run_id);
    await end(deps, ref, await outputFrom(deps, task.result ?? {}, prefixOf(data.run, ref.stage, ref.item)));
  }
  return { task_id, status, attempts, error };
}
