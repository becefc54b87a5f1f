/** One try of a stage or an item: by our own hands, as an operation, as a task, or as tasks over batches of rows. */
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  executeChild,
  ParentClosePolicy,
  patched,
  sleep,
} from '@temporalio/workflow';
import { QUEUES, SEARCH_ATTRIBUTES, WORKFLOWS } from '../schema/names.ts';
import type { OpenedTask, StagePlan, StageRef, StageWay } from '../schema/pipeline-flow.ts';
import type { TaskOutcome } from '../schema/task-flow.ts';
import { operationSteps, pipelineRows, stageSteps, taskWaits } from './pipeline-steps.ts';

/** Runs that began before a task of somebody else's was waited for by an activity look at it this often. */
const LOOK_EVERY = '5 seconds';
const WAITS_BY_ACTIVITY = 'tasks of others are waited for by an activity';

/** A stage, or one item of it, and how it is done. */
export interface Tried {
  stage: number;
  item: number;
  plan: StagePlan;
  way: StageWay;
}

/** Resolves with whether it came to its end, or gave way to a later run of the workflow. Throws what the try failed with. */
export async function oneTry(at: StageRef, { way, plan }: Tried, yields: () => boolean): Promise<'done' | 'yielded'> {
  if (way === 'batches') return inBatches(at, plan.timeout_seconds, yields);
  if (way === 'builtin') await stageSteps(plan.timeout_seconds).runStage(at);
  else if (way === 'operation') await operationSteps(plan.timeout_seconds).runOperation(at);
  else return asTask(at, null, yields);
  return 'done';
}

/** Answers are kept as they come: whoever goes on asks only for those that are missing. */
async function inBatches(at: StageRef, timeoutSeconds: number, yields: () => boolean): Promise<'done' | 'yielded'> {
  const steps = stageSteps(timeoutSeconds);
  const { batches, workers } = await steps.splitStage(at);
  let next = 0;
  let failed: unknown = null;
  let gaveWay = false;
  const oneAfterAnother = async (): Promise<void> => {
    while (next < batches && failed === null && !yields()) {
      const batch = next;
      next += 1;
      try {
        if ((await asTask(at, batch, yields)) === 'yielded') gaveWay = true;
      } catch (thrown) {
        failed ??= thrown;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, batches) }, oneAfterAnother));
  if (failed !== null) throw failed;
  if (gaveWay || next < batches) return 'yielded';
  await steps.mergeStage({ ...at, batches });
  return 'done';
}

async function asTask(at: StageRef, batch: number | null, yields: () => boolean): Promise<'done' | 'yielded'> {
  const opened = await pipelineRows.openStageTask({ ...at, batch });
  if (opened === null) return 'done';
  const outcome = await outcomeOf(at, opened, batch, yields);
  if (outcome === null) return 'yielded';
  const { status, error } = outcome;
  if (status === 'completed') return 'done';
  const { code, detail } = error ?? { code: 'execution_error', detail: `Task ${opened.workflow_id} was ${status}` };
  throw ApplicationFailure.nonRetryable(detail, code);
}

/**
 * A task that was opened by a process that died may run already: then its row tells how it ends. Null: it is not over,
 * and a later run of the workflow goes on waiting for it. With the run, what is open of it is stopped (`closePipelineRun`).
 */
async function outcomeOf(
  at: StageRef,
  opened: OpenedTask,
  batch: number | null,
  yields: () => boolean,
): Promise<TaskOutcome | null> {
  const look = () => pipelineRows.closeStageTask({ ...at, task_id: opened.workflow_id, batch });
  try {
    await executeChild<(input: OpenedTask['input']) => Promise<TaskOutcome>>(WORKFLOWS.runTask, {
      workflowId: opened.workflow_id,
      taskQueue: QUEUES.workflows,
      args: [opened.input],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      typedSearchAttributes: attributesOf(opened),
      memo: { owner: opened.owner, room: 'tasks', resource: opened.resource },
    });
  } catch (thrown) {
    const foreign = thrown instanceof WorkflowExecutionAlreadyStartedError;
    // How it ended stands in its row, also when somebody else cancelled it.
    const ended = thrown instanceof ChildWorkflowFailure && !CancellationScope.current().consideredCancelled;
    if (!foreign && !ended) throw thrown;
  }
  for (let waited = false; ; ) {
    const outcome = await look();
    if (outcome !== null || (waited && yields())) return outcome;
    if (patched(WAITS_BY_ACTIVITY)) {
      await taskWaits.awaitStageTask({ task_id: opened.workflow_id });
      waited = true;
    } else await sleep(LOOK_EVERY);
  }
}

function attributesOf({ owner, resource }: OpenedTask): TypedSearchAttributes {
  const keyword = (name: string, value: string) => ({
    key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
    value,
  });
  return new TypedSearchAttributes([
    keyword(SEARCH_ATTRIBUTES.kind, WORKFLOWS.runTask),
    keyword(SEARCH_ATTRIBUTES.room, 'tasks'),
    keyword(SEARCH_ATTRIBUTES.owner, owner),
    keyword(SEARCH_ATTRIBUTES.resource, resource),
  ]);
}
