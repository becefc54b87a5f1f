/** The task methods of both eras, over workflows. Nobody but a task's owner learns that it exists. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CLIENT_CAPABILITIES_META_KEY,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { Failure } from '../schema/failures.ts';
import type { Principal } from '../schema/principal.ts';
import { callerOf } from './caller.ts';
import type { Era, TaskState, TasksService } from './contract.ts';
import {
  isEnded,
  legacyTask,
  legacyTaskResult,
  modernTaskDetail,
  pollInterval,
  TASKS_EXTENSION,
} from './task-views.ts';

const ById = z.looseObject({ taskId: z.string() });
const Update = z.looseObject({ taskId: z.string(), inputResponses: z.record(z.string(), z.unknown()) });
const Page = z.looseObject({ cursor: z.string().optional() });

interface Declared {
  extensions?: Record<string, unknown>;
  elicitation?: { form?: object; url?: object };
}

/** What this very request declared; the current era declares per request. */
function declaredBy(context: ServerContext): Declared {
  const envelope = context.mcpReq.envelope as Record<string, unknown> | undefined;
  return (envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as Declared;
}

export function declaresTasks(context: ServerContext): boolean {
  return declaredBy(context).extensions?.[TASKS_EXTENSION] !== undefined;
}

/**
 * Whether its client shows forms; one that names no mode does. A 2025 client cannot be asked here: its answer would
 * arrive at another server than the one that asked.
 */
function showsForms(context: ServerContext): boolean {
  const { elicitation } = declaredBy(context);
  return elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined);
}

export function requireTasks(context: ServerContext): void {
  if (declaresTasks(context)) return;
  throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } });
}

/** A task of the caller's own, or null. The service is not trusted alone with this. */
export async function ownTask(
  tasks: TasksService,
  principal: Principal,
  id: string,
  mayAsk = false,
): Promise<TaskState | null> {
  const state = await tasks.get(principal, id, mayAsk);
  return state?.owner === principal.id ? state : null;
}

type Run = (context: ServerContext, operation: string, input: object) => Promise<unknown>;

export function attachTasks(server: Server, era: Era, tasks: TasksService, run: Run): void {
  const visible = async (context: ServerContext, id: string): Promise<[Principal, TaskState]> => {
    const { principal } = callerOf(context);
    const state = await ownTask(tasks, principal, id, era === 'modern' && showsForms(context));
    if (!state) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'No such task');
    return [principal, state];
  };
  if (era === 'modern') attachModern(server, tasks, visible, run);
  else attachLegacy(server, tasks, visible);
}

type Visible = (context: ServerContext, id: string) => Promise<[Principal, TaskState]>;

function attachModern(server: Server, tasks: TasksService, visible: Visible, run: Run): void {
  server.setRequestHandler('tasks/get', { params: ById }, async ({ taskId }, context) => {
    requireTasks(context);
    const [principal, state] = await visible(context, taskId);
    const hasOutcome = isEnded(state) && state.state !== 'cancelled';
    return modernTaskDetail(state, hasOutcome ? await tasks.result(principal, taskId) : null);
  });
  server.setRequestHandler('tasks/cancel', { params: ById }, async ({ taskId }, context) => {
    requireTasks(context);
    const [principal] = await visible(context, taskId);
    await tasks.cancel(principal, taskId);
    return {};
  });
  server.setRequestHandler('tasks/update', { params: ById }, async (params, context) => {
    requireTasks(context);
    const [principal] = await visible(context, params.taskId);
    // The SDK takes these out of the params, as it does for every method that may carry them.
    const { inputResponses } = Update.parse({ inputResponses: context.mcpReq.inputResponses ?? {}, ...params });
    await tasks.update?.(principal, params.taskId, inputResponses, (name, input) => run(context, name, input));
    return {};
  });
}

function attachLegacy(server: Server, tasks: TasksService, visible: Visible): void {
  server.setRequestHandler('tasks/get', { params: ById }, async ({ taskId }, context) => {
    const [, state] = await visible(context, taskId);
    return legacyTask(state);
  });
  server.setRequestHandler('tasks/list', { params: Page }, async ({ cursor }, context) => {
    const { principal } = callerOf(context);
    const page = await tasks.list(principal, cursor ?? null);
    const own = page.tasks.filter((state) => state.owner === principal.id);
    return { tasks: own.map(legacyTask), ...(page.nextCursor !== null && { nextCursor: page.nextCursor }) };
  });
  server.setRequestHandler('tasks/cancel', { params: ById }, async ({ taskId }, context) => {
    const [principal, state] = await visible(context, taskId);
    if (isEnded(state)) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `The task has ended already: ${state.state}`);
    }
    await tasks.cancel(principal, taskId);
    const after = await ownTask(tasks, principal, taskId);
    // 2025 wants the cancelled state at once; the workflow is still tidying up.
    return legacyTask({ ...(after ?? state), state: 'cancelled' });
  });
  server.setRequestHandler('tasks/result', { params: ById }, async ({ taskId }, context) => {
    const { signal } = context.mcpReq;
    let [principal, state] = await visible(context, taskId);
    while (!isEnded(state)) {
      await sleep(pollInterval(state), undefined, { signal });
      [principal, state] = await visible(context, taskId);
    }
    if (state.state === 'cancelled') {
      return legacyTaskResult(taskId, { failure: new Failure('conflict', 'The task was cancelled') });
    }
    const outcome = await tasks.result(principal, taskId);
    if ('broken' in outcome) throw new ProtocolError(outcome.broken.code, outcome.broken.message);
    return legacyTaskResult(taskId, outcome);
  });
}
