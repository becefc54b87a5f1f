/** What agents call: `tasks.progress`, `tasks.complete`, `tasks.fail`, `tasks.logs`, and `agents.claim`. */
import { z } from 'zod';
import {
  ClaimedTask,
  ClaimRequest,
  CompleteReport,
  FailReport,
  LogsReport,
  ProgressReport,
  ReportAnswer,
  TaskId,
} from '../../schema/tasks.ts';
import { claimTasks } from '../../services/tasks/claim.ts';
import { complete, fail, logs, progress } from '../../services/tasks/reports.ts';
import { defineOperation } from '../contract.ts';

const ref = { task_id: TaskId.describe('id of the task') };

const shared = {
  room: 'tasks',
  permission: 'agents:work',
  rate: 'agent',
  output: ReportAnswer,
  failures: ['not_found', 'conflict', 'payload_too_large', 'unavailable'],
} as const;

const route = (verb: string) => ({ method: 'post', path: `/api/v1/tasks/{task_id}/${verb}`, tag: 'agents' }) as const;

export const tasksProgress = defineOperation({
  ...shared,
  name: 'tasks.progress',
  summary: 'By the assigned agent: how far it is; renews the lease',
  input: ProgressReport.extend(ref),
  http: route('progress'),
  // Many a second of every agent would bury what people did.
  audited: false,
  run: ({ deps, principal }, input) => progress(deps, principal, input),
});

export const tasksComplete = defineOperation({
  ...shared,
  name: 'tasks.complete',
  summary: 'By the assigned agent: it is done, with this result',
  input: CompleteReport.extend(ref),
  http: route('complete'),
  audited: true,
  run: ({ deps, principal }, input) => complete(deps, principal, input),
});

export const tasksFail = defineOperation({
  ...shared,
  name: 'tasks.fail',
  summary: 'By the assigned agent: it could not be done',
  input: FailReport.extend(ref),
  http: route('fail'),
  audited: true,
  run: ({ deps, principal }, input) => fail(deps, principal, input),
});

export const tasksLogs = defineOperation({
  ...shared,
  name: 'tasks.logs',
  summary: 'By the assigned agent: log lines; renews the lease',
  input: LogsReport.extend(ref),
  http: route('logs'),
  audited: false,
  run: ({ deps, principal }, input) => logs(deps, principal, input),
});

export const agentsClaim = defineOperation({
  name: 'agents.claim',
  summary: 'By an agent that pulls: wait for tasks and take them',
  room: 'agents',
  permission: 'agents:work',
  rate: 'agent',
  input: ClaimRequest.extend({ agent_id: z.string().min(1).max(100).describe('id of the agent itself') }),
  output: z.object({ tasks: z.array(ClaimedTask) }),
  http: { method: 'post', path: '/api/v1/agents/{agent_id}/tasks/claim', tag: 'agents' },
  failures: ['unavailable'],
  audited: false,
  async run({ deps, principal, signal }, { agent_id, ...request }) {
    return { tasks: await claimTasks(deps, principal, agent_id, request, signal) };
  },
});
