/** `tasks.get`, `tasks.detail`, `tasks.list`: how tasks stand. */
import { z } from 'zod';
import { visibleOwners } from '../../schema/access.ts';
import { PageQuery, pageOf } from '../../schema/files.ts';
import { TASK_STATUSES, TASK_TYPES } from '../../schema/names.ts';
import { TaskDetail, TaskId, TaskListItem, TaskView } from '../../schema/tasks.ts';
import { visibleTask } from '../../services/tasks/lookup.ts';
import { taskDetail, taskListItem, taskView } from '../../services/tasks/views.ts';
import { listTasks } from '../../stores/task-lists.ts';
import { defineOperation, READ_ONLY } from '../contract.ts';

const TaskRef = z.object({ task_id: TaskId.describe('id of the task') });

export const tasksGet = defineOperation({
  name: 'tasks.get',
  summary: 'One task: status, progress, agent and the last log lines',
  room: 'tasks',
  permission: 'tasks:read',
  input: TaskRef,
  output: TaskView,
  http: { method: 'get', path: '/api/v1/tasks/{task_id}', tag: 'tasks' },
  mcp: {
    tool: 'get_task',
    title: 'Get a task',
    description: 'Status, progress, assigned agent, last log lines and error of one task by task_id.',
    ...READ_ONLY,
    listed: false,
  },
  failures: ['not_found', 'unavailable'],
  audited: false,
  run: async ({ deps, principal }, { task_id }) => taskView(deps, await visibleTask(deps, principal, task_id)),
});

export const tasksDetail = defineOperation({
  name: 'tasks.detail',
  summary: 'One task with its payload, result, attempts and place in the queue',
  room: 'tasks',
  permission: 'tasks:read',
  input: TaskRef,
  output: TaskDetail,
  http: { method: 'get', path: '/api/v1/tasks/{task_id}/detail', tag: 'tasks' },
  mcp: {
    tool: 'get_task_detail',
    title: 'Get a task in full',
    description:
      'Payload, result, every attempt with its agent and error, times and the place in the queue of one task.',
    ...READ_ONLY,
    listed: false,
  },
  failures: ['not_found', 'unavailable'],
  audited: false,
  run: async ({ deps, principal }, { task_id }) => taskDetail(deps, await visibleTask(deps, principal, task_id)),
});

export const tasksList = defineOperation({
  name: 'tasks.list',
  summary: 'Tasks, newest first',
  room: 'tasks',
  permission: 'tasks:read',
  input: z.object({
    status: z.enum(TASK_STATUSES).optional(),
    type: z.enum(TASK_TYPES).optional(),
    pipeline_id: z.string().max(200).optional(),
    agent: z.string().max(200).optional().describe('id of the agent it is, or was last, assigned to'),
    owner: z.string().max(200).optional().describe('whose; of those that the caller may see'),
    ...PageQuery,
  }),
  output: pageOf(TaskListItem),
  http: { method: 'get', path: '/api/v1/tasks', tag: 'tasks' },
  mcp: {
    tool: 'list_tasks',
    title: 'List tasks',
    description: 'Lists your tasks, newest first, with status, progress and place in the queue. Pages by cursor.',
    ...READ_ONLY,
    listed: false,
  },
  failures: ['unavailable'],
  audited: false,
  async run({ deps, principal }, input) {
    const granted = principal.grants.flatMap(({ resource }) =>
      resource.startsWith('task:') ? [resource.slice('task:'.length)] : [],
    );
    const page = await listTasks(deps.db, { ...input, owners: visibleOwners(principal), granted });
    return { ...page, items: page.items.map(taskListItem) };
  },
});
