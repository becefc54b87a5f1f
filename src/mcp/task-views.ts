/** How a workflow looks as a task: `io.modelcontextprotocol/tasks` for the current era, the core feature of 2025-11-25. */
import { RELATED_TASK_META_KEY } from '@modelcontextprotocol/server';
import type { TaskOutcome, TaskState, ToolAnswer } from './contract.ts';
import { plain, toErrorResult, toResult } from './results.ts';

export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';
const POLL_INTERVAL_MS = 1_000;

/**
 * A workflow that failed is a tool that ran and reported an error, so its task is completed. `failed` is kept for
 * faults of the machinery.
 */
const STATUS = {
  working: 'working',
  input_required: 'input_required',
  succeeded: 'completed',
  failed: 'completed',
  cancelled: 'cancelled',
  broken: 'failed',
} as const satisfies Record<TaskState['state'], string>;

export const isEnded = (state: TaskState) => state.state !== 'working' && state.state !== 'input_required';
export const pollInterval = (state: TaskState) => state.pollIntervalMs ?? POLL_INTERVAL_MS;

function common(state: TaskState) {
  return {
    taskId: state.id,
    status: STATUS[state.state],
    ...(state.message !== null && { statusMessage: plain(state.message) }),
    createdAt: state.createdAt,
    lastUpdatedAt: state.updatedAt,
  };
}

/** The flat form. */
export function modernTask(state: TaskState): ToolAnswer {
  return { ...common(state), ttlMs: state.ttlMs, pollIntervalMs: pollInterval(state) };
}

/** `tasks/get`: with what the task waits for, or what came of it. */
export function modernTaskDetail(state: TaskState, outcome: TaskOutcome | null): ToolAnswer {
  return {
    ...modernTask(state),
    ...(state.state === 'input_required' && { inputRequests: state.inputRequests ?? {} }),
    ...(outcome && ('broken' in outcome ? { error: outcome.broken } : { result: toToolResult(outcome) })),
  };
}

export function legacyTask(state: TaskState): ToolAnswer {
  return { ...common(state), ttl: state.ttlMs, pollInterval: pollInterval(state) };
}

/** `tasks/result` of 2025-11-25. */
export function legacyTaskResult(id: string, outcome: Exclude<TaskOutcome, { broken: unknown }>): ToolAnswer {
  const result = toToolResult(outcome);
  return { ...result, _meta: { ...result._meta, [RELATED_TASK_META_KEY]: { taskId: id } } };
}

function toToolResult(outcome: Exclude<TaskOutcome, { broken: unknown }>) {
  if ('failure' in outcome) return toErrorResult(outcome.failure);
  return toResult(outcome.output, typeof outcome.output === 'object' && outcome.output !== null);
}
