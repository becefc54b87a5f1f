/** Which operations are tools, under which names, and the definitions a client lists. */
import type { Tool } from '@modelcontextprotocol/server';
import type { AnyOperation } from '../operations/contract.ts';
import { listedSchemas } from './schemas.ts';

/** An operation that a model can call. */
export interface OperationTool {
  name: string;
  operation: AnyOperation;
  definition: Tool;
  /** Whether results carry structured content besides text. */
  structured: boolean;
}

/** Most tools a list holds, and most tokens it costs. */
export const MOST_TOOLS = 25;
export const MOST_TOKENS = 6_000;

/**
 * Every operation that a call can reach, by tool name. One that only HTTP exposes goes by its own name; one whose
 * body or answer is a stream of bytes is out of reach here.
 */
export function operationTools(operations: readonly AnyOperation[]): Map<string, OperationTool> {
  const tools = new Map<string, OperationTool>();
  for (const operation of operations) {
    const { http } = operation;
    if (!operation.mcp && (!http || http.body === 'multipart' || http.answer === 'download')) continue;
    const tool = operationTool(operation);
    if (tools.has(tool.name)) throw new Error(`two operations claim the tool name ${tool.name}`);
    tools.set(tool.name, tool);
  }
  return tools;
}

function operationTool(operation: AnyOperation): OperationTool {
  const { mcp } = operation;
  const { input, output } = listedSchemas(operation.input, operation.output);
  const readOnly = mcp?.readOnly ?? operation.http?.method === 'get';
  const definition: Tool = {
    name: mcp?.tool ?? operation.name,
    title: mcp?.title ?? operation.summary,
    description: mcp?.description ?? operation.summary,
    inputSchema: input as Tool['inputSchema'],
    ...(output && { outputSchema: output as Tool['outputSchema'] }),
    annotations: {
      readOnlyHint: readOnly,
      // Both mean something for tools that change things only.
      ...(!readOnly && {
        destructiveHint: mcp?.destructive ?? true,
        idempotentHint: mcp?.idempotent ?? operation.http?.method === 'put',
      }),
      openWorldHint: mcp?.openWorld ?? false,
    },
    ...(mcp?.taskFrom && { execution: { taskSupport: 'optional' as const } }),
  };
  return { name: definition.name, operation, definition, structured: output !== undefined };
}

/** About how many tokens a list costs: four characters each, the usual rough figure for English and JSON. */
export function roughTokens(tools: readonly Tool[]): number {
  return Math.ceil(JSON.stringify(tools).length / 4);
}

/** The first of `tools` that fit both limits after `always`; a tool too many is still reached by `call_tool`. */
export function withinBudget(always: readonly Tool[], tools: readonly Tool[]): { kept: Tool[]; dropped: string[] } {
  const kept = [...always];
  const dropped: string[] = [];
  for (const tool of tools) {
    if (kept.length < MOST_TOOLS && roughTokens([...kept, tool]) < MOST_TOKENS) kept.push(tool);
    else dropped.push(tool.name);
  }
  return { kept, dropped };
}
