/** Follows a run of a pipeline, or a task, until it is over. */
import { RunView } from '../schema/pipeline-views.ts';
import { TaskDetail } from '../schema/tasks.ts';
import type { Api } from './api.ts';
import { type WatchOptions, watchUntil } from './watch-until.ts';

const OVER = new Set(['completed', 'failed', 'cancelled']);
/** Stages and tasks report often; one look answers all that came since. */
const POLL_MS = { connected: 5_000, alone: 1_000, least: 200 };

/** Resolves with the run once it is completed, failed or cancelled. Throws as `watchUntil` does. */
export function watchRun(
  api: Api,
  runId: string,
  options: WatchOptions & { onView(view: RunView): void | Promise<void> },
): Promise<RunView> {
  return watchUntil(
    api,
    {
      schema: RunView,
      path: `/api/v1/pipeline-runs/${encodeURIComponent(runId)}`,
      events: `/api/v1/events?${new URLSearchParams({ run_id: runId })}`,
      isOver: (view) => OVER.has(view.status),
      onView: options.onView,
    },
    { pollMs: POLL_MS, ...options },
  );
}

/** The same for a task. */
export function watchTask(
  api: Api,
  taskId: string,
  options: WatchOptions & { onView(view: TaskDetail): void | Promise<void> },
): Promise<TaskDetail> {
  return watchUntil(
    api,
    {
      schema: TaskDetail,
      path: `/api/v1/tasks/${encodeURIComponent(taskId)}/detail`,
      events: `/api/v1/events?${new URLSearchParams({ task_id: taskId })}`,
      isOver: (view) => OVER.has(view.status),
      onView: options.onView,
    },
    { pollMs: POLL_MS, ...options },
  );
}
