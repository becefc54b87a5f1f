/** What agents say of their tasks: only the assigned one, only of the current attempt, and the last word only once. */

import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { JsonObject } from '../../schema/json.ts';
import { type LogLevel, MESSAGES, type TaskStatus } from '../../schema/names.ts';
import type { Principal } from '../../schema/principal.ts';
import type { FailureRecord } from '../../schema/tables.ts';
import type { TaskReport, TaskReportAnswer } from '../../schema/task-flow.ts';
import { findRun } from '../../stores/runs.ts';
import { appendLogs, type NewLogLine } from '../../stores/task-logs.ts';
import { acceptReport, renewLease, reportProgress } from '../../stores/task-turns.ts';
import { type AttemptRow, findAttempt, findTask, type TaskRow } from '../../stores/tasks.ts';
import { startRun } from '../engine.ts';
import { leaseSeconds } from './lease.ts';
import { assertSmall } from './submit.ts';

export interface Reported {
  task_id: string;
  accepted: boolean;
  status: TaskStatus;
}

/** How long an agent waits at most to hear that its attempt is over; its word is stored before. */
const ANSWER_MS = 10_000;
const TRIES = 3;
const BETWEEN_TRIES_MS = 200;

/** Renews the lease, and tells readers. */
export async function progress(
  deps: Deps,
  agent: Principal,
  report: { task_id: string; attempt: number; progress: number; message?: string | undefined },
): Promise<Reported> {
  const { task, attempt } = await assigned(deps, agent, report);
  const accepted =
    isOpen(attempt) &&
    (await reportProgress(deps.db, task, {
      agent_id: agent.id,
      progress: report.progress,
      lease_seconds: leaseSeconds(deps.config),
      at: new Date(),
    }));
  if (accepted && report.message !== undefined) {
    await appendLogs(deps.db, report, [{ level: 'info', message: report.message, at: new Date() }]);
  }
  return answer(deps, task, accepted);
}

/** Log lines; they renew the lease too. */
export async function logs(
  deps: Deps,
  agent: Principal,
  report: {
    task_id: string;
    attempt: number;
    logs: { level: LogLevel; message: string; timestamp?: string | undefined }[];
  },
): Promise<Reported> {
  const { task, attempt } = await assigned(deps, agent, report);
  const accepted = isOpen(attempt);
  if (accepted) {
    const lines: NewLogLine[] = report.logs.map(({ level, message, timestamp }) => ({
      level,
      message,
      at: timestamp === undefined ? new Date() : new Date(timestamp),
    }));
    await appendLogs(deps.db, report, lines);
    await renewLease(deps.db, report, leaseSeconds(deps.config));
  }
  return answer(deps, task, accepted);
}

export async function complete(
  deps: Deps,
  agent: Principal,
  report: { task_id: string; attempt: number; result: JsonObject },
): Promise<Reported> {
  assertSmall(report.result, 'result');
  return lastWord(deps, agent, report, { result: report.result, error: null });
}

export async function fail(
  deps: Deps,
  agent: Principal,
  report: { task_id: string; attempt: number; error: { code: string; message: string }; retryable: boolean },
): Promise<Reported> {
  const error = { code: report.error.code.toLowerCase(), detail: report.error.message };
  return lastWord(deps, agent, report, { result: { retryable: report.retryable }, error });
}

async function lastWord(
  deps: Deps,
  agent: Principal,
  about: { task_id: string; attempt: number },
  word: { result: JsonObject; error: FailureRecord | null },
): Promise<Reported> {
  const { task, attempt } = await assigned(deps, agent, about);
  const completion_id = randomUUID();
  const { task_id, attempt: number } = about;
  const stored = { task_id, attempt: number, agent_id: agent.id, completion_id, ...word };
  const accepted = isOpen(attempt) && (await acceptReport(deps.db, stored));
  // Also for a repeat while the attempt is still open: the process that took the first may have died before it told.
  if (accepted || attempt.status === 'running') await tellWorkflow(deps, task, about, agent);
  return answer(deps, task, accepted);
}

/**
 * Waits until the workflow has ended the attempt, for a while. The word itself is stored: when the workflow cannot be
 * told now, it finds it as soon as it looks after the attempt.
 */
async function tellWorkflow(
  deps: Deps,
  task: TaskRow,
  about: { task_id: string; attempt: number },
  agent: Principal,
): Promise<void> {
  const accepted = await findAttempt(deps.db, about);
  if (!accepted?.completion_id || accepted.status !== 'running') return;
  const report: TaskReport = {
    attempt: about.attempt,
    agent_id: agent.id,
    outcome: accepted.error === null ? 'completed' : 'failed',
    completion_id: accepted.completion_id,
  };
  const until = Date.now() + ANSWER_MS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await deps.temporal.withDeadline(until, () =>
        deps.temporal.workflow
          .getHandle(task.workflow_id)
          .executeUpdate<TaskReportAnswer, [TaskReport]>(MESSAGES.report, {
            args: [report],
            updateId: `${about.task_id}/${about.attempt}`,
          }),
      );
      return;
    } catch (err) {
      if (attempt === TRIES || Date.now() > until) {
        deps.log.warn({ err, workflow_id: task.workflow_id }, 'a report is stored, but its workflow was not told yet');
        return;
      }
      if (err instanceof WorkflowNotFoundError) await startUnlessClosed(deps, task.workflow_id);
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES_MS));
    }
  }
}

async function startUnlessClosed(deps: Deps, workflowId: string): Promise<void> {
  const run = await findRun(deps.db, workflowId);
  if (run && run.closed_at === null && run.started_at === null) await startRun(deps, run);
}

/** Throws Failure: `not_found`, `conflict` for an attempt that there never was, `forbidden` for somebody else's. */
async function assigned(
  deps: Deps,
  agent: Principal,
  about: { task_id: string; attempt: number },
): Promise<{ task: TaskRow; attempt: AttemptRow }> {
  const task = await findTask(deps.db, about.task_id);
  if (!task) throw new Failure('not_found', `No task ${about.task_id}`);
  const attempt = await findAttempt(deps.db, about);
  if (!attempt) throw new Failure('conflict', `Task ${about.task_id} has no attempt ${about.attempt}`);
  if (attempt.agent_id !== agent.id) {
    throw new Failure('forbidden', `Attempt ${about.attempt} of task ${about.task_id} is not this agent's`);
  }
  return { task: { ...task, attempt: about.attempt }, attempt };
}

const isOpen = (attempt: AttemptRow) => attempt.status === 'running' && attempt.completion_id === null;

async function answer(deps: Deps, task: TaskRow, accepted: boolean): Promise<Reported> {
  const now = await findTask(deps.db, task.task_id);
  return { task_id: task.task_id, accepted, status: now?.status ?? task.status };
}
