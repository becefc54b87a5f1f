/** Submission of a task: its rows, its run, its event and its idempotency key, in one transaction; then its workflow. */
import { createHash, randomUUID } from 'node:crypto';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { JsonObject } from '../../schema/json.ts';
import {
  type Executor,
  PRIORITIES,
  type Priority,
  type TaskStatus,
  type TaskType,
  WORKFLOWS,
} from '../../schema/names.ts';
import type { RunTaskInput } from '../../schema/task-flow.ts';
import { builtinFault } from '../../schema/task-payload.ts';
import { MAX_TASK_JSON } from '../../schema/tasks.ts';
import type { Trx } from '../../stores/database.ts';
import { claimIdempotencyKey } from '../../stores/idempotency.ts';
import { takeQuota } from '../../stores/quotas.ts';
import type { NewRun } from '../../stores/runs.ts';
import { placeInQueue } from '../../stores/task-order.ts';
import { type Assigned, admit } from '../../stores/task-queue.ts';
import { findTask, insertTask, type NewTaskRow } from '../../stores/tasks.ts';
import { startAdmitted } from '../engine.ts';
import { tellAssigned } from './settle.ts';

export interface NewTask {
  /** Made up when absent; equal to the id of its workflow. */
  task_id?: string;
  owner: string;
  pipeline_id?: string | null;
  /** The pipeline run it belongs to. */
  run_id?: string | null;
  stage?: number | null;
  type: TaskType;
  payload: JsonObject;
  priority?: Priority;
  /** TASK_TIMEOUT at most, and when absent. */
  timeout_seconds?: number;
  retry_count?: number;
  executor?: Executor;
  capabilities?: string[];
  /** The one agent that is to do it: whether its owner may use it was asked before. */
  wanted_agent?: string | null;
}

export interface SubmittedTask {
  task_id: string;
  workflow_id: string;
  status: TaskStatus;
  /** 1 is next; null when it does not wait. */
  queue_position: number | null;
}

export interface AdmittedTask {
  task_id: string;
  /** What its workflow is to be started with: by `startAdmitted`, or as a child with `run.input`. */
  run: NewRun;
  /** Others that were given a slot on the way: `tellAssigned` after the commit. */
  others: Assigned[];
  queue_position: number | null;
}

export function newTaskId(): string {
  return `task-${randomUUID()}`;
}

/** One task of the caller's day; given back when the transaction fails. Throws Failure('quota_exceeded'). */
export async function takeTaskQuota(trx: Trx, deps: Pick<Deps, 'config'>, owner: string): Promise<void> {
  await takeQuota(trx, { principal_id: owner, kind: 'tasks', limit: deps.config.TASKS_PER_DAY, at: new Date() });
}

export function runOfTask(input: RunTaskInput, workflowId: string): NewRun {
  return {
    workflow_id: workflowId,
    type: WORKFLOWS.runTask,
    room: 'tasks',
    owner: input.owner,
    source: null,
    resource: `task:${input.task_id}`,
    input,
  };
}

/**
 * Writes the rows of a task and gives it a slot when one is free and somebody can do it. Nothing is started: the caller
 * does that after the commit. Throws Failure `payload_too_large`, `invalid_input`.
 */
export async function admitTask(trx: Trx, deps: Deps, task: NewTask): Promise<AdmittedTask> {
  const row = toRow(deps, task);
  const input: RunTaskInput = {
    task_id: row.task_id,
    owner: row.owner,
    attempt: 1,
    timeout_seconds: row.timeout_seconds,
    assigned: false,
    in_place: true,
  };
  const run = runOfTask(input, row.task_id);
  await insertTask(trx, row, run);
  const assigned = await admit(trx, deps.config.MAX_CONCURRENT_TASKS);
  const mine = assigned.some(({ task_id }) => task_id === row.task_id);
  return {
    task_id: row.task_id,
    run: mine ? { ...run, input: { ...input, assigned: true } } : run,
    others: assigned.filter(({ task_id }) => task_id !== row.task_id),
    queue_position: mine ? null : ((await placeInQueue(trx, row.task_id))?.place ?? null),
  };
}

/**
 * Submits a task and starts its workflow, or answers with the task that the same Idempotency-Key led to before. Throws
 * Failure: `idempotency_mismatch`, `quota_exceeded`, and those of `admitTask`.
 */
export async function submitTask(
  deps: Deps,
  task: NewTask,
  idempotency: { key: string; body: string } | null = null,
): Promise<SubmittedTask> {
  const task_id = task.task_id ?? newTaskId();
  const admitted = await deps.db.transaction().execute(async (trx) => {
    if (idempotency) {
      const earlier = await claimIdempotencyKey(trx, {
        principal_id: task.owner,
        operation: 'tasks.submit',
        key: idempotency.key,
        body_hash: createHash('sha256').update(idempotency.body).digest('hex'),
        resource_id: task_id,
      });
      if (earlier !== task_id) return earlier;
    }
    await takeTaskQuota(trx, deps, task.owner);
    return admitTask(trx, deps, { ...task, task_id });
  });
  if (typeof admitted === 'string') return submittedBefore(deps, admitted);
  await startAdmitted(deps, admitted.run);
  await tellAssigned(deps, admitted.others);
  const { queue_position } = admitted;
  return { task_id, workflow_id: task_id, status: 'pending', queue_position };
}

async function submittedBefore(deps: Deps, taskId: string): Promise<SubmittedTask> {
  const row = await findTask(deps.db, taskId);
  if (!row) throw new Failure('conflict', 'This Idempotency-Key led to a task that is gone since; use a new key');
  const place = row.phase === 'queued' ? await placeInQueue(deps.db, taskId) : null;
  const { task_id, workflow_id, status } = row;
  return { task_id, workflow_id, status, queue_position: place?.place ?? null };
}

function toRow(deps: Deps, task: NewTask): NewTaskRow {
  const longest = deps.config.TASK_TIMEOUT;
  const timeout = task.timeout_seconds ?? longest;
  if (timeout > longest) {
    const message = `must be at most TASK_TIMEOUT (${longest})`;
    throw new Failure('invalid_input', `timeout: ${message}`, { faults: [{ path: 'timeout', message }] });
  }
  assertSmall(task.payload, 'payload');
  const wanted_agent = task.wanted_agent ?? null;
  const executor = wanted_agent === null ? (task.executor ?? 'auto') : 'agent';
  return {
    task_id: task.task_id ?? newTaskId(),
    owner: task.owner,
    pipeline_id: task.pipeline_id ?? null,
    run_id: task.run_id ?? null,
    stage: task.stage ?? null,
    type: task.type,
    payload: task.payload,
    priority: PRIORITIES.indexOf(task.priority ?? 'medium'),
    timeout_seconds: timeout,
    retry_count: task.retry_count ?? 3,
    executor,
    capabilities: [...new Set(task.capabilities ?? [])].sort(),
    wanted_agent,
    needs_agent: executor === 'auto' && builtinFault(task.type, task.payload) !== null,
  };
}

/** Throws Failure('payload_too_large') for more than MAX_TASK_JSON bytes. */
export function assertSmall(value: JsonObject, what: string): void {
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > MAX_TASK_JSON) {
    throw new Failure('payload_too_large', `The ${what} has ${bytes} bytes as JSON; ${MAX_TASK_JSON} are allowed`);
  }
}
