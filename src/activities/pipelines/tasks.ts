/** Stages, items and batches that are done as tasks: opened with their rows, and what they led to carried back. */
import { ApplicationFailure } from '@temporalio/activity';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { OpenedTask, StageRef } from '../../schema/pipeline-flow.ts';
import type { RunTaskInput, TaskOutcome } from '../../schema/task-flow.ts';
import { tellAssigned } from '../../services/tasks/settle.ts';
import { admitTask, type NewTask, takeTaskQuota } from '../../services/tasks/submit.ts';
import { uuidV5 } from '../../stores/ids.ts';
import { lockRun } from '../../stores/pipeline-runs.ts';
import { findTask } from '../../stores/tasks.ts';
import { batchTask, hasAnswer, keepAnswer } from './batches.ts';
import { isTaskType } from './plan-stage.ts';
import { inputsOf, type PipelineDeps, prefixOf, type RunData, readRun, resolved, stageOf } from './run-data.ts';
import { outputFrom } from './run-operation.ts';
import { timeoutOf } from './run-stage.ts';
import { beginWithin, end } from './try.ts';

/**
 * The task of one try, or of one of its batches: the same one however often this is repeated. Null for a batch whose
 * answer is here already, from an earlier try.
 */
export async function openStageTask(
  deps: PipelineDeps,
  input: StageRef & { batch: number | null },
): Promise<OpenedTask | null> {
  const { batch, ...ref } = input;
  if (batch !== null && (await hasAnswer(deps, ref, batch))) return null;
  const place = `${ref.stage}/${ref.item}/${ref.try}/${batch ?? -1}`;
  const task_id = `task-${uuidV5(`stage-task:${ref.workflow_id}/${place}`)}`;
  const data = await readRun(deps.db, ref.run_id);
  const task: NewTask = batch === null ? await stageTask(deps, data, ref) : await batchTask(deps, data, ref, batch);
  const opened = await deps.db.transaction().execute(async (trx) => {
    const run = await lockRun(trx, ref);
    const earlier = await findTask(trx, task_id);
    if (earlier) {
      const { timeout_seconds, owner } = earlier;
      return { input: { task_id, owner, attempt: 1, timeout_seconds, assigned: false, in_place: true }, others: [] };
    }
    await takeTaskQuota(trx, deps, run.owner).catch(ending);
    const admitted = await admitTask(trx, deps, {
      ...task,
      task_id,
      owner: run.owner,
      pipeline_id: run.pipeline_id,
      run_id: run.run_id,
      stage: ref.stage,
    });
    if (batch === null) await beginWithin(trx, run, ref, task_id);
    return { input: admitted.run.input as RunTaskInput, others: admitted.others };
  });
  await tellAssigned(deps, opened.others);
  return { workflow_id: task_id, input: opened.input, owner: opened.input.owner, resource: `task:${task_id}` };
}

/** A quota that is used up is so until tomorrow: trying again before that helps nobody. */
function ending(error: unknown): never {
  if (!(error instanceof Failure) || error.code !== 'quota_exceeded') throw error;
  throw ApplicationFailure.nonRetryable(error.message, error.code);
}

type TaskOfRun = Omit<NewTask, 'owner'>;

/** An agent gets the configuration, the keys of what reaches the stage, and what the run was given. */
async function stageTask(deps: PipelineDeps, data: RunData, ref: StageRef): Promise<TaskOfRun & { owner: string }> {
  const stage = stageOf(data, ref.stage);
  if (!isTaskType(stage.type)) throw new Failure('invalid_pipeline', 'An operation is no task');
  const config = await resolved(deps, data, ref, 'config');
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

/** How the task stands; null while it is not over. What was answered to one that went well is kept for what follows. */
export async function closeStageTask(
  deps: Deps,
  input: StageRef & { task_id: string; batch: number | null },
): Promise<TaskOutcome | null> {
  const { task_id, batch, ...ref } = input;
  const task = await findTask(deps.db, task_id);
  if (!task)
    return { task_id, status: 'failed', attempts: 0, error: { code: 'not_found', detail: 'The task is gone' } };
  const { status, attempt: attempts, error } = task;
  if (status !== 'completed' && status !== 'failed' && status !== 'cancelled') return null;
  if (status === 'completed') {
    const result = task.result ?? {};
    const { run } = await readRun(deps.db, ref.run_id);
    const prefix = prefixOf(run, ref.stage, ref.item);
    if (batch === null) await end(deps, ref, await outputFrom(deps, result, prefix));
    else {
      const fault = await keepAnswer(deps, prefix, batch, result);
      if (fault !== null)
        return { task_id, status: 'failed', attempts, error: { code: 'agent_failed', detail: fault } };
    }
  }
  return { task_id, status, attempts, error };
}
