/** One tool call from arguments to answer: found, run with progress and cancellation, handed over as result or task. */
import { ProtocolError, ProtocolErrorCode, type Server, type ServerContext } from '@modelcontextprotocol/server';
import { parseInput } from '../operations/invoke.ts';
import { Failure } from '../schema/failures.ts';
import { toFailure } from '../schema/unknown-error.ts';
import { type Caller, callerOf } from './caller.ts';
import { type Catalogue, unknownTool } from './catalogue.ts';
import type { DoorExtension, DoorLog, Era, Invoke, TasksService, ToolAnswer } from './contract.ts';
import { CALL_TOOL, CallToolInput, LIST_TOOLS, ListToolsInput } from './meta-tools.ts';
import { plain, toErrorResult, toResult } from './results.ts';
import { legacyTask, modernTask } from './task-views.ts';
import { declaresTasks, ownTask } from './tasks.ts';
import type { OperationTool } from './tools.ts';

/** Where a client may put an idempotency key when it cannot set headers. */
const IDEMPOTENCY_META = 'ostinato/idempotency_key';

interface Dependencies {
  catalogue: Catalogue;
  invoke: Invoke;
  tasks: TasksService;
  log: DoorLog;
  extend: DoorExtension | undefined;
}

/** A `tools/call` as it arrived. */
interface Arrived {
  name: string;
  args: Record<string, unknown>;
  /** A 2025 client asked for a task. */
  taskAsked: boolean;
  context: ServerContext;
  server: Server;
  era: Era;
  /** Ends with the request, however the client ends it. */
  signal: AbortSignal;
}

export type ToolCaller = (call: Arrived) => Promise<ToolAnswer>;

export function createToolCaller({ catalogue, invoke, tasks, log, extend }: Dependencies): ToolCaller {
  const extra = new Set(extend?.tools?.map((tool) => tool.name));

  async function callOperation(tool: OperationTool, call: Arrived): Promise<ToolAnswer> {
    const caller = callerOf(call.context);
    const { taskFrom } = tool.operation.mcp ?? {};
    if (call.taskAsked && !taskFrom) {
      throw new ProtocolError(ProtocolErrorCode.MethodNotFound, `${tool.name} does not run as a task`);
    }
    const progress = progressOf(call.context);
    try {
      const output = await invoke(
        tool.operation,
        {
          principal: caller.principal,
          requestId: caller.requestId,
          address: caller.address,
          idempotencyKey: idempotencyKeyOf(call.context, caller),
          signal: call.signal,
          report: progress.report,
        },
        call.args,
      );
      const started = taskFrom ? (output as Record<string, unknown>)[taskFrom] : undefined;
      if (typeof started === 'string') {
        const task = await asTask(started, call, caller);
        if (task) return task;
      }
      return toResult(output, tool.structured);
    } finally {
      await progress.sent();
    }
  }

  /** The task behind a workflow id, when this request asked for one; else null: the handle is the answer. */
  async function asTask(id: string, call: Arrived, caller: Caller): Promise<ToolAnswer | null> {
    const wanted = call.era === 'modern' ? declaresTasks(call.context) : call.taskAsked;
    if (!wanted) return null;
    const state = await ownTask(tasks, caller.principal, id);
    if (!state) throw new Failure('internal', 'The workflow was started but cannot be seen');
    return call.era === 'modern'
      ? { resultType: 'task', ...modernTask(state) }
      : { content: [], task: legacyTask(state) };
  }

  async function callByName(call: Arrived): Promise<ToolAnswer> {
    const { name, args, context } = call;
    const { principal } = callerOf(context);
    if (name === LIST_TOOLS) return toResult(catalogue.describe(principal, parseInput(ListToolsInput, args)), true);
    if (name === CALL_TOOL) {
      const inner = parseInput(CallToolInput, args);
      const tool = catalogue.find(inner.name);
      if (!tool) throw unknownTool(inner.name, catalogue.names(principal));
      return callOperation(tool, { ...call, name: inner.name, args: inner.arguments });
    }
    const tool = catalogue.find(name);
    if (tool) return callOperation(tool, call);
    if (extend?.callTool && extra.has(name)) return extend.callTool(name, args, context, call.server);
    const failure = unknownTool(name, catalogue.names(principal));
    // The protocol has its own answer to this one; its message reaches the model all the same.
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, failure.message, {
      code: failure.code,
      tools: catalogue.names(principal),
    });
  }

  return async (call) => {
    try {
      return await callByName(call);
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      const failure = toFailure(error);
      if (!(error instanceof Failure)) {
        const { requestId, principal } = callerOf(call.context);
        log.error({ err: error, request_id: requestId, principal: principal.id, tool: call.name }, 'a tool call broke');
      }
      return toErrorResult(failure);
    }
  };
}

function idempotencyKeyOf(context: ServerContext, caller: Caller): string | null {
  const key = context.mcpReq._meta?.[IDEMPOTENCY_META];
  return typeof key === 'string' ? key : caller.idempotencyKey;
}

/**
 * Notifications for a client that gave a token; nothing otherwise. `sent` resolves when all are out, so that none
 * arrives after the result. What does not grow is dropped, as the protocol wants.
 */
function progressOf(context: ServerContext) {
  const progressToken = context.mcpReq._meta?.progressToken;
  const sending: Promise<void>[] = [];
  let last = Number.NEGATIVE_INFINITY;
  return {
    report(progress: number, total: number, message: string): void {
      if (progressToken === undefined || progress <= last) return;
      last = progress;
      const params = { progressToken, progress, total, message: plain(message) };
      sending.push(context.mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {}));
    },
    sent: () => Promise.all(sending),
  };
}
