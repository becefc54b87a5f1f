/** Starting, steering and looking at workflows: what operations and the reconciler call instead of the SDK. */
import { createHash, randomUUID } from 'node:crypto';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import {
  defineSearchAttributeKey,
  type SearchAttributePair,
  SearchAttributeType,
  TypedSearchAttributes,
} from '@temporalio/common';
import type { Deps } from '../deps.ts';
import { Failure } from '../schema/failures.ts';
import { QUEUES, SEARCH_ATTRIBUTES, WORKFLOWS } from '../schema/names.ts';
import { isUnreachable } from '../schema/unknown-error.ts';
import { markRunStarted, type NewRun, type RunRow } from '../stores/runs.ts';

/** A workflow id that nobody can guess, with its kind in front for people who read lists. */
export function newWorkflowId(kind: string): string {
  return `${kind}-${randomUUID()}`;
}

/** Starts an admitted run. Starting it twice is no error: the first one runs. */
export async function startRun(deps: Deps, run: NewRun | RunRow): Promise<void> {
  try {
    await deps.temporal.workflow.start(run.type, {
      workflowId: run.workflow_id,
      taskQueue: QUEUES.workflows,
      args: [run.input],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      typedSearchAttributes: searchAttributes(run),
      ...(run.type === WORKFLOWS.runPipeline ? { priority: { fairnessKey: fairnessKey(run.owner) } } : {}),
      memo: { owner: run.owner, room: run.room, resource: run.resource ?? '' },
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
  // A task's row says itself when somebody begins with it; one write less for each of thousands.
  if (run.type !== WORKFLOWS.runTask) await markRunStarted(deps.db, run.workflow_id);
}

/**
 * Starts what the caller has just admitted. When the engine is away the row stays and the reconciler starts it, so
 * the caller's answer ("accepted") is true either way.
 */
export async function startAdmitted(deps: Deps, run: NewRun): Promise<void> {
  try {
    await startRun(deps, run);
  } catch (error) {
    deps.log.warn(
      { err: error, workflow_id: run.workflow_id },
      'admitted but not started yet; the reconciler will start it',
    );
    if (!isUnreachable(error)) throw error;
  }
}

/**
 * Steps of a workflow inherit its key, and the engine takes turns between keys when a queue is full: a caller with many
 * runs does not hold up the others. Engines without fairness pass it over. At most 64 bytes.
 */
function fairnessKey(owner: string): string {
  return Buffer.byteLength(owner) <= 64 ? owner : createHash('sha256').update(owner).digest('hex');
}

function searchAttributes(run: NewRun | RunRow): TypedSearchAttributes {
  const pairs: SearchAttributePair[] = [];
  const add = (name: string, value: string | null) => {
    if (value !== null) pairs.push({ key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD), value });
  };
  add(SEARCH_ATTRIBUTES.kind, run.type);
  add(SEARCH_ATTRIBUTES.room, run.room);
  add(SEARCH_ATTRIBUTES.owner, run.owner);
  add(SEARCH_ATTRIBUTES.source, run.source);
  add(SEARCH_ATTRIBUTES.resource, run.resource);
  return new TypedSearchAttributes(pairs);
}

/** Identifies the engine's database: the namespace's own id, made when the namespace was. */
export async function engineId(deps: Pick<Deps, 'temporal' | 'config'>): Promise<string> {
  const answer = await deps.temporal.workflowService.describeNamespace({ namespace: deps.config.TEMPORAL_NAMESPACE });
  return answer.namespaceInfo?.id ?? '';
}

/** Notes which engine these rows belong to, once; resolves with false when it is another one. */
export async function claimEngine(deps: Deps): Promise<boolean> {
  const id = await engineId(deps);
  await deps.db.updateTable('installation').set({ engine_id: id }).where('engine_id', 'is', null).execute();
  const row = await deps.db.selectFrom('installation').select('engine_id').executeTakeFirstOrThrow();
  return row.engine_id === id;
}

export interface Described {
  status: string;
  history_length: number;
  started_at: string;
  closed_at: string | null;
  pending_activities: { type: string; attempt: number; last_failure: string | null }[];
}

/** What the engine itself says of a workflow; null when it has none of that id. */
export async function describeRun(deps: Deps, workflowId: string): Promise<Described | null> {
  try {
    const found = await deps.temporal.workflow.getHandle(workflowId).describe();
    return {
      status: found.status.name.toLowerCase(),
      history_length: found.historyLength,
      started_at: found.startTime.toISOString(),
      closed_at: found.closeTime?.toISOString() ?? null,
      pending_activities: (found.raw.pendingActivities ?? []).map((activity) => ({
        type: activity.activityType?.name ?? '',
        attempt: activity.attempt ?? 1,
        last_failure: activity.lastFailure?.message ?? null,
      })),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Asks a workflow to cancel. One that is over already is left as it is. */
export async function cancelRun(deps: Deps, workflowId: string): Promise<void> {
  await onRunning(workflowId, () => deps.temporal.workflow.getHandle(workflowId).cancel());
}

/** Sends an update and waits for its answer, at most as long as the deadline of the connection. */
export async function updateRun<T>(deps: Deps, workflowId: string, name: string): Promise<T> {
  return onRunning(workflowId, () =>
    deps.temporal.withDeadline(Date.now() + 20_000, () =>
      deps.temporal.workflow.getHandle(workflowId).executeUpdate<T, []>(name),
    ),
  );
}

export async function signalRun(deps: Deps, workflowId: string, name: string, ...args: unknown[]): Promise<void> {
  await onRunning(workflowId, () => deps.temporal.workflow.getHandle(workflowId).signal(name, ...args));
}

async function onRunning<T>(workflowId: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError)
      throw new Failure('conflict', `Workflow ${workflowId} is not running`, { cause: error });
    throw error;
  }
}
