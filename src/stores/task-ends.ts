/** The end of an attempt, in one transaction: rows, events, the slot, and who gets it next. */
import { sql } from 'kysely';
import { Failure } from '../schema/failures.ts';
import type { JsonObject } from '../schema/json.ts';
import type { TaskStatus, TaskType } from '../schema/names.ts';
import type { FailureRecord } from '../schema/tables.ts';
import type { TaskPhase } from '../schema/tables-control.ts';
import type { NextStep, TaskStep } from '../schema/task-flow.ts';
import { othersCould } from './agents.ts';
import { prepared, type Trx } from './database.ts';
import type { NewEvent } from './events.ts';
import { type Decision, decide, type Ending, type Standing } from './task-decisions.ts';
import {
  eventsCte,
  startLine,
  type TaskRef,
  taskFailed,
  taskRunning,
  taskUpdated,
  wakeReaders,
} from './task-events.ts';
import { type Assigned, admit } from './task-queue.ts';

/** `completion` goes along when the result was not stored by a report before. `reported` takes what was. */
export interface AttemptEnd {
  ending: Ending | { kind: 'reported' };
  completion?: { completion_id: string; result: JsonObject };
}

export interface Ended {
  next: NextStep;
  /** Others that were given a slot by this; to be told after the commit. */
  assigned: Assigned[];
  /** Null when the attempt was over before. */
  ended: { type: TaskType; status: Decision['status']; error: FailureRecord | null; seconds: number } | null;
}

interface Row extends Standing, TaskRef {
  attempt: number;
  type: TaskType;
  status: TaskStatus;
  phase: TaskPhase;
  slot: boolean;
  /** Null: it answered before it was written down that it began. */
  started_at: Date | null;
  progress: number;
  error: FailureRecord | null;
  wait_ms: number;
  seconds: number;
  completion_id: string | null;
  reported_error: FailureRecord | null;
  retryable: boolean | null;
}

/**
 * Ends the attempt, once: repeated, or come too late, it changes nothing and answers with what followed. A report that was
 * accepted goes before every other reason. Throws Failure('not_found') when another workflow has the task.
 */
export async function endAttempt(trx: Trx, step: TaskStep, end: AttemptEnd, cap: number): Promise<Ended> {
  const row = await lockRow(trx, step);
  if (row.phase === 'closed' || row.attempt !== step.attempt) {
    return { next: nextOf(row), assigned: [], ended: null };
  }
  const ending = reportedEnding(row) ?? end.ending;
  if (ending.kind === 'reported') throw new Failure('conflict', `Attempt ${step.attempt} was not reported on`);
  const asked = ending.kind === 'lost' && (ending.pause_ms ?? 0) > 0;
  const decision = decide(asked ? { ...row, others: await othersCould(trx, row.task_id) } : row, ending);
  const completion = row.completion_id === null ? (end.completion ?? null) : null;
  await write(trx, row, decision, completion);
  const assigned = row.slot || decision.status === 'retrying' ? await admit(trx, cap) : [];
  const { status, error } = decision;
  return {
    next:
      status === 'retrying'
        ? { status, attempt: row.attempt + 1, backoff_ms: decision.backoff_ms }
        : { status, attempt: row.attempt, error },
    assigned: assigned.filter(({ task_id }) => task_id !== row.task_id),
    ended: { type: row.type, status, error, seconds: row.seconds },
  };
}

async function lockRow(trx: Trx, step: TaskStep): Promise<Row> {
  // The attempt is locked on its own, so that a report accepted while this waited is seen.
  const { rows } = await sql<Row>`${prepared}
    WITH a AS (
      SELECT status, completion_id, error FROM task_attempts
      WHERE task_id = ${step.task_id} AND attempt = ${step.attempt} FOR UPDATE
    )
    SELECT t.task_id, t.owner, t.workflow_id, t.attempt, t.type, t.status, t.phase, t.slot, t.progress, t.error, t.started_at,
      t.timeout_seconds, t.retry_count, t.retries, t.lost, t.assigned_agent AS agent_id,
      greatest(0, extract(epoch FROM t.queued_at - now()) * 1000)::float8 AS wait_ms,
      coalesce(extract(epoch FROM now() - coalesce(t.started_at, now())), 0)::float8 AS seconds,
      a.completion_id, a.error AS reported_error
    FROM tasks t LEFT JOIN a ON true
    WHERE t.task_id = ${step.task_id} AND t.workflow_id = ${step.workflow_id} FOR UPDATE OF t
  `.execute(trx);
  const row = rows[0];
  if (!row) throw new Failure('not_found', `No task ${step.task_id} of workflow ${step.workflow_id}`);
  if (row.completion_id === null || row.reported_error === null) return { ...row, retryable: null };
  const stored = await trx
    .selectFrom('task_results')
    .select('result')
    .where('completion_id', '=', row.completion_id)
    .executeTakeFirst();
  return { ...row, retryable: stored?.result.retryable !== false };
}

function reportedEnding(row: Row): Ending | null {
  if (row.completion_id === null) return null;
  if (row.reported_error === null) return { kind: 'completed' };
  return { kind: 'failed', error: row.reported_error, retryable: row.retryable ?? true };
}

/** What followed when the attempt was over before. */
function nextOf(row: Row): NextStep {
  const { status, attempt, error } = row;
  if (status === 'completed' || status === 'failed' || status === 'cancelled') return { status, attempt, error };
  return { status: 'retrying', attempt, backoff_ms: row.phase === 'backoff' ? Math.ceil(row.wait_ms) : 0 };
}

async function write(
  trx: Trx,
  row: Row,
  decision: Decision,
  completion: { completion_id: string; result: JsonObject } | null,
): Promise<void> {
  const { status, error } = decision;
  const over = status !== 'retrying';
  const phase: TaskPhase = over ? 'closed' : decision.backoff_ms > 0 ? 'backoff' : 'queued';
  const completionId = completion?.completion_id ?? row.completion_id;
  const errorJson = error === null ? null : JSON.stringify(error);
  const progress = status === 'completed' ? 1 : row.progress;
  const silent = row.phase === 'assigned' && status !== 'cancelled';
  await sql`${prepared}
    WITH ${completion === null ? sql`` : resultCte(row, completion)} task AS (
      UPDATE tasks SET status = ${status}, phase = ${phase}, slot = false, lease_until = NULL,
        attempt = ${over ? row.attempt : row.attempt + 1}, retries = ${decision.retries}, lost = ${decision.lost},
        assigned_agent = ${over ? sql`assigned_agent` : sql`NULL`},
        excluded_agents = ${decision.exclude ? sql`excluded_agents || ${row.agent_id}::text` : sql`excluded_agents`},
        progress = ${progress}::real, error = ${over ? errorJson : null}::jsonb,
        result = ${resultSql(status, completion, completionId)},
        queued_at = ${over ? sql`queued_at` : sql`now() + make_interval(secs => ${decision.backoff_ms / 1000})`},
        started_at = ${silent ? sql`coalesce(started_at, now())` : sql`started_at`},
        completed_at = ${over ? sql`now()` : null}, updated_at = now()
      WHERE task_id = ${row.task_id}
    ), attempt AS (
      UPDATE task_attempts SET status = ${decision.attempt_status}, error = ${errorJson}::jsonb, ended_at = now(),
        started_at = ${silent ? sql`now()` : sql`started_at`}, completion_id = ${completionId}::uuid
      WHERE task_id = ${row.task_id} AND attempt = ${row.attempt} AND status = 'running'
    ), run AS (
      UPDATE workflow_runs SET status = ${over ? status : 'running'}, error = ${over ? errorJson : null}::jsonb,
        closed_at = ${over ? sql`now()` : null}, started_at = coalesce(started_at, now())
      WHERE workflow_id = ${row.workflow_id} AND closed_at IS NULL AND ${over}
    ), log AS (
      INSERT INTO task_logs (task_id, attempt, level, message)
      VALUES ${silent ? sql`(${row.task_id}, ${row.attempt}, 'info', ${startLine(row.attempt, row.agent_id)}),` : sql``}
        (${row.task_id}, ${row.attempt}, ${error === null ? 'info' : over ? 'error' : 'warn'}, ${logLine(row, decision)})
    ), ${eventsCte([...(silent ? [taskRunning(row)] : []), ...eventsOf(row, decision, progress)])}
    SELECT ${wakeReaders}
  `.execute(trx);
}

function resultCte(row: Row, completion: { completion_id: string; result: JsonObject }) {
  return sql`stored AS (
      INSERT INTO task_results (completion_id, task_id, attempt, result)
      VALUES (${completion.completion_id}::uuid, ${row.task_id}, ${row.attempt},
        ${JSON.stringify(completion.result)}::jsonb)
    ),`;
}

function resultSql(status: string, completion: { result: JsonObject } | null, completionId: string | null) {
  if (status !== 'completed') return sql`NULL`;
  if (completion !== null) return sql`${JSON.stringify(completion.result)}::jsonb`;
  return sql`(SELECT r.result FROM task_results r WHERE r.completion_id = ${completionId}::uuid)`;
}

function eventsOf(row: Row, { status, error }: Decision, progress: number): NewEvent[] {
  const key = `${row.attempt}/ended`;
  const updated = taskUpdated(row, key, { status, progress });
  return status === 'failed' && error !== null ? [updated, taskFailed(row, key, error)] : [updated];
}

function logLine(row: Row, decision: Decision): string {
  const { status, error, backoff_ms } = decision;
  if (status === 'completed') return `Task completed: attempt ${row.attempt}`;
  if (status === 'cancelled') return 'Task cancelled';
  const why = `${error?.code ?? 'failed'}: ${error?.detail ?? ''}`.slice(0, 2_000);
  if (status === 'failed') return `Task failed: attempt ${row.attempt}: ${why}`;
  return `Attempt ${row.attempt} ended: ${why}. The next one begins ${backoff_ms === 0 ? 'at once' : `in ${backoff_ms / 1000} s`}`;
}
