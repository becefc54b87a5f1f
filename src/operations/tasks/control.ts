/** `tasks.cancel` and `tasks.retry`. */
import { z } from 'zod';
import { TaskId, TaskView } from '../../schema/tasks.ts';
import { cancelTask, retryTask } from '../../services/tasks/control.ts';
import { changeableTask } from '../../services/tasks/lookup.ts';
import { taskView } from '../../services/tasks/views.ts';
import { defineOperation } from '../contract.ts';

const TaskRef = z.object({ task_id: TaskId.describe('id of the task') });

export const tasksCancel = defineOperation({
  name: 'tasks.cancel',
  summary: 'Stop a task for good; its agent is told',
  room: 'tasks',
  permission: 'tasks:write',
  input: TaskRef,
  output: TaskView,
  http: { method: 'post', path: '/api/v1/tasks/{task_id}/cancel', status: 202, tag: 'tasks' },
  mcp: {
    tool: 'cancel_task',
    title: 'Cancel a task',
    description: 'Asks a task to stop for good. Cancelling one that is cancelled changes nothing.',
    readOnly: false,
    destructive: true,
    idempotent: true,
    openWorld: false,
    listed: false,
  },
  failures: ['not_found', 'conflict', 'unavailable'],
  audited: true,
  run: async ({ deps, principal }, { task_id }) =>
    taskView(deps, await cancelTask(deps, await changeableTask(deps, principal, task_id))),
});

export const tasksRetry = defineOperation({
  name: 'tasks.retry',
  summary: 'Try a failed or cancelled task again, with all its retries',
  room: 'tasks',
  permission: 'tasks:write',
  input: TaskRef,
  output: TaskView,
  http: { method: 'post', path: '/api/v1/tasks/{task_id}/retry', status: 202, tag: 'tasks' },
  mcp: {
    tool: 'retry_task',
    title: 'Retry a task',
    description: 'Starts another round of attempts of a task that failed or was cancelled.',
    readOnly: false,
    destructive: false,
    idempotent: false,
    openWorld: true,
    listed: false,
  },
  failures: ['not_found', 'conflict', 'quota_exceeded', 'unavailable'],
  audited: true,
  run: async ({ deps, principal }, { task_id }) =>
    taskView(deps, await retryTask(deps, await changeableTask(deps, principal, task_id))),
});
