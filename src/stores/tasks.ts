/** Tasks as rows: how one comes in, and how it is read. */
import { type Selectable, sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import type { Executor, TaskType } from '../schema/names.ts';
import type { Tables } from '../schema/tables.ts';
import { type Db, prepared, type Trx } from './database.ts';
import type { NewRun } from './runs.ts';
import { eventsCte, taskUpdated, wakeReaders } from './task-events.ts';

export type TaskRow = Selectable<Tables['tasks']>;
export type AttemptRow = Selectable<Tables['task_attempts']>;

export interface NewTaskRow {
  task_id: string;
  owner: string;
  pipeline_id: string | null;
  run_id: string | null;
  stage: number | null;
  type: TaskType;
  payload: JsonObject;
  /** 0 high, 1 medium, 2 low. */
  priority: number;
  timeout_seconds: number;
  retry_count: number;
  executor: Executor;
  capabilities: string[];
  wanted_agent: string | null;
  needs_agent: boolean;
}

/** The task's row, the row of its workflow and its first event, in one statement. The task stands in the queue then. */
export async function insertTask(trx: Trx, task: NewTaskRow, run: NewRun): Promise<void> {
  const { task_id, owner, run_id, pipeline_id } = task;
  const ref = { task_id, owner, run_id, pipeline_id, workflow_id: run.workflow_id };
  await sql`${prepared}
    WITH task AS (
      INSERT INTO tasks (task_id, owner, pipeline_id, run_id, stage, type, payload, priority, timeout_seconds,
        retry_count, executor, capabilities, wanted_agent, needs_agent, workflow_id)
      VALUES (${task.task_id}, ${task.owner}, ${task.pipeline_id}, ${task.run_id}, ${task.stage}, ${task.type},
        ${JSON.stringify(task.payload)}, ${task.priority}, ${task.timeout_seconds}, ${task.retry_count},
        ${task.executor}, ${task.capabilities}, ${task.wanted_agent}, ${task.needs_agent}, ${run.workflow_id})
    ), run AS (
      INSERT INTO workflow_runs (workflow_id, type, room, owner, source, resource, input)
      VALUES (${run.workflow_id}, ${run.type}, ${run.room}, ${run.owner}, ${run.source}, ${run.resource},
        ${JSON.stringify(run.input)})
    ), ${eventsCte([taskUpdated(ref, 'submitted', { status: 'pending', progress: 0 })])}
    SELECT ${wakeReaders}
  `.execute(trx);
}

export async function findTask(db: Db | Trx, taskId: string): Promise<TaskRow | undefined> {
  return db.selectFrom('tasks').selectAll().where('task_id', '=', taskId).executeTakeFirst();
}

/** Oldest first. */
export async function listAttempts(db: Db, taskId: string): Promise<AttemptRow[]> {
  return db.selectFrom('task_attempts').selectAll().where('task_id', '=', taskId).orderBy('attempt').execute();
}

export async function findAttempt(
  db: Db | Trx,
  key: { task_id: string; attempt: number },
): Promise<AttemptRow | undefined> {
  return db
    .selectFrom('task_attempts')
    .selectAll()
    .where('task_id', '=', key.task_id)
    .where('attempt', '=', key.attempt)
    .executeTakeFirst();
}
