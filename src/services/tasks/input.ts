/** The rows that a task of a pipeline run works on, for its agent and for whoever may see the task. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { Json, JsonObject } from '../../schema/json.ts';
import type { Principal } from '../../schema/principal.ts';
import { findAttempt, findTask, type TaskRow } from '../../stores/tasks.ts';
import { runPrefix } from '../pipelines/remove.ts';
import { visibleTask } from './lookup.ts';

const MEDIA_TYPES: Record<string, string> = {
  csv: 'text/csv',
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
};

export interface TaskInput {
  filename: string;
  media_type: string;
  bytes: number;
  /** Hex; null where nobody has counted it. */
  sha256: string | null;
  body: AsyncIterable<Uint8Array>;
}

/**
 * The batch of a task over a batch; of another one the table of the input `name`, or the first. Throws
 * Failure('not_found') also for a task that the caller may not see: an agent sees the one that it has right now.
 */
export async function taskInput(deps: Deps, principal: Principal, taskId: string, name?: string): Promise<TaskInput> {
  const task =
    principal.role === 'agent' ? await ownTask(deps, principal, taskId) : await visibleTask(deps, principal, taskId);
  const object = objectOf(task.payload, name);
  // The payload of a task outside of a run is its submitter's word, which opens nothing here.
  const isOfItsRun = task.run_id !== null && object?.key.startsWith(runPrefix(task.run_id));
  const stat = object && isOfItsRun ? await deps.objects.stat(object.key) : null;
  if (!object || !stat) {
    throw new Failure('not_found', `Task ${taskId} has no input${name === undefined ? '' : ` ${name}`} to fetch`);
  }
  const { key, format, sha256, filename } = object;
  const media_type = MEDIA_TYPES[format] ?? 'application/octet-stream';
  return { filename, media_type, sha256, bytes: stat.size, body: await deps.objects.get(key) };
}

async function ownTask(deps: Deps, agent: Principal, taskId: string): Promise<TaskRow> {
  const task = await findTask(deps.db, taskId);
  const attempt = task && (await findAttempt(deps.db, task));
  if (!attempt || attempt.agent_id !== agent.id || attempt.status !== 'running') {
    throw new Failure('not_found', `No task ${taskId}`);
  }
  return task;
}

interface Named {
  key: string;
  format: string;
  filename: string;
  sha256: string | null;
}

/** As the steps of runs write it into a payload: one `batch`, or `inputs` by the names of stages. */
function objectOf(payload: JsonObject, name: string | undefined): Named | null {
  if (payload.batch !== undefined) return name === undefined ? named(payload.batch, null) : null;
  const inputs = Array.isArray(payload.inputs) ? payload.inputs.filter(isObject) : [];
  const input = inputs.find((one) => name === undefined || one.name === name);
  return input ? named(input.dataset, String(input.name)) : null;
}

function named(value: Json | undefined, name: string | null): Named | null {
  if (!isObject(value) || typeof value.key !== 'string' || typeof value.format !== 'string') return null;
  const { key, format, sha256 } = value;
  const filename = name === null ? (key.split('/').at(-1) ?? key) : `${name}.${format}`;
  return { key, format, filename, sha256: typeof sha256 === 'string' ? sha256 : null };
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
