/** Builds the SDK server that serves one request: everything costly is made once and shared. */
import {
  mergeCapabilities,
  Server,
  type ServerCapabilities,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/server/validators/ajv';
import { callerOf } from './caller.ts';
import type { ToolCaller } from './calls.ts';
import type { Catalogue } from './catalogue.ts';
import type { DoorOptions, Era } from './contract.ts';
import type { Inflight } from './inflight.ts';
import { attachPrompts, housePrompts } from './prompts.ts';
import { attachResources } from './resources.ts';
import { TASKS_EXTENSION } from './task-views.ts';
import { attachTasks } from './tasks.ts';

const INSTRUCTIONS = [
  'Long work runs as durable workflows: a tool that starts one answers at once with its workflow id.',
  'Follow it with get_workflow or wait_for_workflow rather than calling the tool again.',
  'A pipeline run and its artifacts can be read at ostinato://runs/{run_id}.',
  'list_available_tools names everything; call_tool calls what is not in your list.',
].join(' ');
/** Lists change only with a new version of the program or another role. */
const LIST_TTL_MS = 60_000;

interface Dependencies
  extends Pick<DoorOptions, 'operations' | 'invoke' | 'tasks' | 'resources' | 'changes' | 'version' | 'extend'> {
  catalogue: Catalogue;
  callTool: ToolCaller;
  inflight: Inflight;
}

export function createServers(dependencies: Dependencies): (era: Era) => Server {
  const { catalogue, callTool, inflight, tasks, resources, extend } = dependencies;
  const prompts = housePrompts(resources);
  const info = { name: 'ostinato', title: 'Ostinato', version: dependencies.version };
  const list = { ttlMs: LIST_TTL_MS, cacheScope: 'private' as const };
  const options = {
    ...extend?.options,
    instructions: INSTRUCTIONS,
    jsonSchemaValidator: new AjvJsonSchemaValidator(),
    cacheHints: { 'tools/list': list, 'prompts/list': list, 'server/discover': list, 'resources/templates/list': list },
  };
  const own: Record<Era, ServerCapabilities> = {
    legacy: {
      tools: {},
      prompts: {},
      resources: {},
      tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
    },
    modern: {
      tools: {},
      prompts: {},
      // Earlier eras read again; this one can listen.
      resources: dependencies.changes ? { subscribe: true, listChanged: true } : {},
      extensions: { [TASKS_EXTENSION]: {} },
    },
  };

  const run = async (context: ServerContext, name: string, input: object): Promise<unknown> => {
    const operation = dependencies.operations.find((one) => one.name === name);
    if (!operation) throw new Error(`no operation ${name}`);
    const { signal } = context.mcpReq;
    return dependencies.invoke(operation, { ...callerOf(context), signal, report: () => {} }, input);
  };
  const added = extend?.capabilities ?? {};
  const capabilities = {
    legacy: mergeCapabilities(own.legacy, added),
    modern: mergeCapabilities(own.modern, added),
  };

  return (era) => {
    const server = new Server(info, { ...options, capabilities: capabilities[era] });
    server.setRequestHandler('tools/list', (_request, context) => {
      const { principal, rooms } = callerOf(context);
      return { tools: catalogue.list(principal, rooms) as Tool[] };
    });
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      const call = inflight.track(callerOf(context), context.mcpReq.id, context.mcpReq.signal);
      try {
        const answer = await callTool({
          name: params.name,
          args: params.arguments ?? {},
          taskAsked: era === 'legacy' && params.task !== undefined,
          context,
          server,
          era,
          signal: call.signal,
        });
        return answer as { content: [] };
      } finally {
        call.done();
      }
    });
    attachResources(server, resources);
    attachPrompts(server, prompts);
    attachTasks(server, era, tasks, run);
    extend?.attach?.(server, era);
    return server;
  };
}
