/** The current attempt of a task as its workflow looks at it, and what happens to it before it ends. */
import { type RawBuilder, sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import type { TaskStatus, TaskType } from '../schema/names.ts';
import type { AgentEndpoints, TaskPhase } from '../schema/tables-control.ts';
import type { TaskStep } from '../schema/task-flow.ts';
import { type Db, prepared, type Trx } from './database.ts';
import { eventsCte, startLine, type TaskRef, taskRunning, taskUpdated, wakeReaders } from './task-events.ts';

/** How an attempt is done. */
export type AttemptMode = 'builtin' | 'push' | 'pull' | 'mcp';

export interface Turn extends TaskRef {
  /** Of the row: larger than the step's when that one is over. */
  attempt: number;
  type: TaskType;
  payload: JsonObject;
  pipeline_id: string | null;
  run_id: string | null;
  stage: number | null;
  priority: number;
  timeout_seconds: number;
  status: TaskStatus;
  phase: TaskPhase;
  progress: number;
  /** Null while nobody was found to do it. */
  mode: AttemptMode | null;
  agent_id: string | null;
  agent_name: string | null;
  /** Who registered the agent: the credential is one of theirs. */
  agent_owner: string | null;
  endpoints: AgentEndpoints | null;
  credential: string | null;
  /** Set once the agent works on by itself. */
  lease_in_ms: number | null;
  /** Until the attempt has taken all the time it may; its time runs from when somebody begins with it. */
  left_ms: number;
  /** An agent's word on this attempt was accepted. */
  reported: boolean;
}

/** Undefined: there is no such task, or another workflow has it by now. */
export async function readTurn(db: Db | Trx, step: TaskStep): Promise<Turn | undefined> {
  const { rows } = await sql<Turn>`${prepared}
    SELECT t.task_id, t.owner, t.workflow_id, t.attempt, t.type, t.payload, t.pipeline_id, t.run_id, t.stage,
      t.priority, t.timeout_seconds, t.status, t.phase, t.progress, a.executor AS mode, a.agent_id,
      g.name AS agent_name, g.owner AS agent_owner, g.endpoints, g.credential,
      (extract(epoch FROM t.lease_until - now()) * 1000)::float8 AS lease_in_ms,
      (CASE WHEN t.phase = 'running' THEN extract(epoch FROM a.started_at - now()) * 1000 ELSE 0 END
        + t.timeout_seconds * 1000.0)::float8 AS left_ms,
      a.completion_id IS NOT NULL AS reported
    FROM tasks t
    LEFT JOIN task_attempts a ON a.task_id = t.task_id AND a.attempt = t.attempt
    LEFT JOIN agents g ON g.agent_id = a.agent_id
    WHERE t.task_id = ${step.task_id} AND t.workflow_id = ${step.workflow_id}
  `.execute(db);
  return rows[0];
}

/** Somebody has begun with the attempt: from now on its time runs. A second call changes nothing. */
export async function markRunning(
  db: Db | Trx,
  task: TaskRef & { attempt: number },
  agentId: string | null,
): Promise<void> {
  await sql`${prepared}
    WITH held AS (
      -- First, as whoever ends the attempt does: two who lock in different orders could wait for one another.
      SELECT attempt FROM task_attempts WHERE task_id = ${task.task_id} AND attempt = ${task.attempt} FOR UPDATE
    ), task AS (
      UPDATE tasks SET phase = 'running', status = 'running', started_at = coalesce(started_at, now()),
        updated_at = now()
      WHERE task_id = ${task.task_id} AND attempt = (SELECT attempt FROM held) AND phase = 'assigned'
      RETURNING task_id
    ), attempt AS (
      UPDATE task_attempts SET started_at = now()
      WHERE (task_id, attempt) IN (SELECT task_id, ${task.attempt}::int FROM task)
    ), run AS (
      UPDATE workflow_runs SET status = 'running', started_at = coalesce(started_at, now())
      WHERE workflow_id = ${task.workflow_id} AND status = 'pending' AND EXISTS (SELECT FROM task)
    ), log AS (
      INSERT INTO task_logs (task_id, attempt, level, message)
      SELECT task_id, ${task.attempt}::int, 'info', ${startLine(task.attempt, agentId)} FROM task
    ), ${eventsCte([taskRunning(task)], sql`EXISTS (SELECT FROM task)`)}
    SELECT ${wakeReaders} FROM task
  `.execute(db);
}

/** Puts an attempt whose backoff is over back into the queue. */
export async function requeue(trx: Trx, step: TaskStep): Promise<void> {
  await sql`
    UPDATE tasks SET phase = 'queued', queued_at = now(), updated_at = now()
    WHERE task_id = ${step.task_id} AND attempt = ${step.attempt} AND workflow_id = ${step.workflow_id}
      AND phase = 'backoff'
  `.execute(trx);
}

/** The agent works on by itself, or gave a sign of life: it may be silent for `seconds` from now. */
export async function renewLease(
  db: Db | Trx,
  step: Pick<TaskStep, 'task_id' | 'attempt'>,
  seconds: number,
): Promise<void> {
  await sql`
    UPDATE tasks SET lease_until = now() + make_interval(secs => ${seconds})
    WHERE task_id = ${step.task_id} AND attempt = ${step.attempt} AND phase IN ('assigned', 'running')
  `.execute(db);
}

/**
 * Progress of the current attempt: it only grows, and renews the lease. At most one event a second. Resolves with false
 * when this agent does not have this attempt any more.
 */
export async function reportProgress(
  db: Db | Trx,
  task: TaskRef & { attempt: number },
  report: { agent_id: string; progress: number; lease_seconds: number; at: Date },
): Promise<boolean> {
  const by = sql`assigned_agent = ${report.agent_id}`;
  return writeProgress(db, task, report, by, sql`now() + make_interval(secs => ${report.lease_seconds})`);
}

/** The same for what we do ourselves: no lease, the engine watches it. */
export async function reportBuiltin(
  db: Db | Trx,
  task: TaskRef & { attempt: number },
  progress: number,
): Promise<boolean> {
  return writeProgress(db, task, { progress, at: new Date() }, sql`assigned_agent IS NULL`, sql`NULL`);
}

async function writeProgress(
  db: Db | Trx,
  task: TaskRef & { attempt: number },
  { progress, at }: { progress: number; at: Date },
  by: RawBuilder<unknown>,
  lease: RawBuilder<unknown>,
): Promise<boolean> {
  const key = `${task.attempt}/progress/${Math.floor(at.getTime() / 1000)}`;
  const event = taskUpdated(task, key, { status: 'running', progress }, at);
  const { rows } = await sql`
    WITH task AS (
      UPDATE tasks SET progress = greatest(progress, ${progress}::real), phase = 'running', status = 'running',
        started_at = coalesce(started_at, now()), updated_at = now(), lease_until = ${lease}
      WHERE task_id = ${task.task_id} AND attempt = ${task.attempt} AND ${by} AND phase IN ('assigned', 'running')
      RETURNING task_id, progress
    ), ${eventsCte([event], sql`EXISTS (SELECT FROM task WHERE progress = ${progress}::real)`)}
    SELECT task_id, ${wakeReaders} FROM task
  `.execute(db);
  return rows.length > 0;
}

/**
 * An agent's last word on an attempt: the first one is accepted, all others are not. What it says is stored with it, so
 * that whoever ends the attempt, and why ever, finds it. Resolves with whether this was the first.
 */
export async function acceptReport(
  db: Db | Trx,
  report: {
    task_id: string;
    attempt: number;
    agent_id: string;
    completion_id: string;
    result: JsonObject;
    error: { code: string; detail: string } | null;
  },
): Promise<boolean> {
  const { rows } = await sql`
    WITH attempt AS (
      UPDATE task_attempts SET completion_id = ${report.completion_id}::uuid,
        error = ${report.error === null ? null : JSON.stringify(report.error)}::jsonb
      WHERE task_id = ${report.task_id} AND attempt = ${report.attempt} AND agent_id = ${report.agent_id}
        AND status = 'running' AND completion_id IS NULL
      RETURNING task_id, attempt
    )
    INSERT INTO task_results (completion_id, task_id, attempt, result)
    SELECT ${report.completion_id}::uuid, task_id, attempt, ${JSON.stringify(report.result)}::jsonb FROM attempt
    RETURNING attempt
  `.execute(db);
  return rows.length > 0;
}
