/** `tasks.input`: the rows that a task of a pipeline works on, where they are too many for its payload. */
import { z } from 'zod';
import { TaskId } from '../../schema/tasks.ts';
import { taskInput } from '../../services/tasks/input.ts';
import { type Download, defineOperation } from '../contract.ts';

export const tasksInput = defineOperation({
  name: 'tasks.input',
  summary:
    "The rows that a pipeline's task works on: its batch, or the table of a stage; also for the agent that has it",
  room: 'tasks',
  permission: ['tasks:read', 'agents:work'],
  input: z.object({
    task_id: TaskId.describe('id of the task'),
    name: z.string().min(1).max(200).optional().describe('stage whose table it is, of several; the first when absent'),
  }),
  output: z.custom<Download>(),
  http: { method: 'get', path: '/api/v1/tasks/{task_id}/input', answer: 'download', tag: 'tasks' },
  failures: ['not_found', 'unavailable'],
  audited: false,
  run: ({ deps, principal }, { task_id, name }) => taskInput(deps, principal, task_id, name),
});
