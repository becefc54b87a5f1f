/** Tasks as callers see them. */
import type { Deps } from '../../deps.ts';
import { PRIORITIES } from '../../schema/names.ts';
import { SHOWN_LOG_LINES, type TaskDetail, type TaskListItem, type TaskView, taskLinks } from '../../schema/tasks.ts';
import type { ListedTask } from '../../stores/task-lists.ts';
import { type LogRow, lastLogs } from '../../stores/task-logs.ts';
import { placeInQueue } from '../../stores/task-order.ts';
import { type AttemptRow, listAttempts, type TaskRow } from '../../stores/tasks.ts';
import { strandedSince } from './overdue.ts';

/** Exactly the fields of seed 001. The place of a task that waits is its last log line, as it is at this moment. */
export async function taskView(deps: Deps, row: TaskRow): Promise<TaskView> {
  const [logs, place] = await Promise.all([lastLogs(deps.db, row.task_id, SHOWN_LOG_LINES), placeOf(deps, row)]);
  const { error, ...head } = common(row);
  return { ...head, logs: [...logs.map(logView), ...waitingLine(row, place)].slice(-SHOWN_LOG_LINES), error };
}

export async function taskDetail(deps: Deps, row: TaskRow): Promise<TaskDetail> {
  const [logs, place, attempts] = await Promise.all([
    lastLogs(deps.db, row.task_id, SHOWN_LOG_LINES),
    placeOf(deps, row),
    listAttempts(deps.db, row.task_id),
  ]);
  const ui = `${deps.config.publicUrl}/temporal/namespaces/${deps.config.TEMPORAL_NAMESPACE}/workflows/${encodeURIComponent(row.workflow_id)}`;
  return {
    ...taskListItem({ ...row, place: place?.place ?? null }),
    run_id: row.run_id,
    workflow_id: row.workflow_id,
    executor: row.executor,
    capabilities: row.capabilities,
    agent_id: row.wanted_agent,
    payload: row.payload,
    timeout: row.timeout_seconds,
    retry_count: row.retry_count,
    attempt: row.attempt,
    lost: row.lost,
    attempts: attempts.map(attemptView),
    queue_length: place?.of ?? null,
    waits_for_agent: waitsForAgent(row),
    result: row.result,
    queued_at: row.queued_at.toISOString(),
    assigned_at: row.assigned_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
    logs: [...logs.map(logView), ...waitingLine(row, place)].slice(-SHOWN_LOG_LINES),
    links: { ...taskLinks(row), ui },
  };
}

export function taskListItem(row: ListedTask): TaskListItem {
  return {
    ...common(row),
    type: row.type,
    priority: PRIORITIES[row.priority] ?? 'medium',
    owner: row.owner,
    created_at: row.created_at.toISOString(),
    queue_position: row.place,
  };
}

function common(row: TaskRow): Omit<TaskView, 'logs'> {
  return {
    task_id: row.task_id,
    pipeline_id: row.pipeline_id,
    stage: row.stage,
    status: row.status,
    // Stored in single precision: 0.7 is 0.7 again.
    progress: Number(row.progress.toPrecision(6)),
    assigned_agent: row.assigned_agent,
    started_at: row.started_at?.toISOString() ?? null,
    updated_at: row.updated_at.toISOString(),
    error: row.error,
  };
}

async function placeOf(deps: Deps, row: TaskRow): Promise<{ place: number; of: number } | null> {
  return row.phase === 'queued' ? placeInQueue(deps.db, row.task_id) : null;
}

function waitingLine(row: TaskRow, place: { place: number; of: number } | null): TaskView['logs'] {
  if (place === null) return [];
  const stranded = strandedSince(row);
  const message =
    stranded === null
      ? `Waiting: place ${place.place} of ${place.of}`
      : `Waiting for an agent until ${stranded.until.toISOString()}: none that could do it is at work, and the built-in executor cannot: ${stranded.reason}`;
  return [{ timestamp: new Date().toISOString(), level: 'info', message }];
}

function waitsForAgent(row: TaskRow): TaskDetail['waits_for_agent'] {
  const stranded = strandedSince(row);
  if (stranded === null) return null;
  return { since: stranded.since.toISOString(), until: stranded.until.toISOString(), reason: stranded.reason };
}

function logView({ at, level, message }: LogRow): TaskView['logs'][number] {
  return { timestamp: at.toISOString(), level, message };
}

function attemptView(row: AttemptRow): TaskDetail['attempts'][number] {
  return {
    attempt: row.attempt,
    executor: row.executor,
    agent_id: row.agent_id,
    status: row.status,
    error: row.error,
    started_at: row.started_at.toISOString(),
    ended_at: row.ended_at?.toISOString() ?? null,
  };
}
