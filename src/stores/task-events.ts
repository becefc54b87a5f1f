/** Events of tasks, and how a statement that changes a task tells them in the same breath. */
import { type RawBuilder, sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import { eventResource, type TaskErrorData, type TaskUpdateData } from '../schema/live.ts';
import type { TaskStatus } from '../schema/names.ts';
import type { FailureRecord } from '../schema/tables.ts';
import { EVENTS_CHANNEL, type NewEvent } from './events.ts';
import { uuidV5 } from './ids.ts';

/** Wakes agents that wait for work, in every process. */
export const TASKS_CHANNEL = 'ostinato_tasks';

export interface TaskRef {
  task_id: string;
  owner: string;
  workflow_id: string;
  /** The run that it is a task of, and the pipeline that it is labelled with: known to the row, needed while there is none. */
  run_id?: string | null;
  pipeline_id?: string | null;
}

/** `key` tells this moment of the task's workflow from all others: equal ones are one event. */
export function taskUpdated(
  task: TaskRef,
  key: string,
  state: { status: TaskStatus; progress: number },
  at = new Date(),
): NewEvent {
  const { status, progress } = state;
  const data: TaskUpdateData = { task_id: task.task_id, status, progress, timestamp: at.toISOString() };
  return event(task, 'task.updated', key, data);
}

/** Somebody has begun with the attempt. */
export function taskRunning(task: TaskRef & { attempt: number }): NewEvent {
  return taskUpdated(task, `${task.attempt}/running`, { status: 'running', progress: 0 });
}

/** The log line of the same moment. */
export function startLine(attempt: number, agentId: string | null): string {
  return `Task started: attempt ${attempt}, ${agentId === null ? 'built in' : `agent ${agentId}`}`;
}

export function taskFailed(task: TaskRef, key: string, error: FailureRecord, at = new Date()): NewEvent {
  const data: TaskErrorData = {
    task_id: task.task_id,
    error: 'Task execution failed',
    details: { code: error.code.toUpperCase(), message: error.detail },
    timestamp: at.toISOString(),
  };
  return event(task, 'task.error', `${key}/error`, data);
}

function event(task: TaskRef, name: NewEvent['name'], key: string, data: JsonObject): NewEvent {
  const { run_id, pipeline_id } = task;
  return {
    name,
    owner: task.owner,
    resource: eventResource.task(task.task_id),
    workflow_id: task.workflow_id,
    data: { ...data, ...(run_id ? { run_id } : {}), ...(pipeline_id ? { pipeline_id } : {}) },
    key: `${task.workflow_id}/${key}`,
  };
}

/**
 * A CTE that writes the events, those of `when` alone: a condition over the CTEs before it. Those of a task of a run tell
 * which, beside what goes over the wire: readers of the run hear of its tasks.
 */
export function eventsCte(events: NewEvent[], when: RawBuilder<boolean> = sql<boolean>`true`): RawBuilder<unknown> {
  const rows = events.map(
    (one) =>
      sql`(${uuidV5(`event:${one.key}`)}::uuid, ${one.name}, ${one.owner}, ${one.resource}, ${one.workflow_id},
        ${JSON.stringify(one.data)}::jsonb)`,
  );
  return sql`told AS (
    INSERT INTO event_log (event_id, name, owner, resource, workflow_id, data)
    SELECT event_id, name, owner, resource, workflow_id, data || coalesce((
      SELECT jsonb_strip_nulls(jsonb_build_object('run_id', run_id, 'pipeline_id', pipeline_id))
      FROM tasks WHERE task_id = data->>'task_id'), '{}')
    FROM (VALUES ${sql.join(rows)}) AS news (event_id, name, owner, resource, workflow_id, data)
    WHERE ${when} ON CONFLICT (event_id) DO NOTHING)`;
}

/** Stands in a select list: wakes the readers of events when this commits. */
export const wakeReaders = sql`pg_notify(${sql.lit(EVENTS_CHANNEL)}, '')`;
