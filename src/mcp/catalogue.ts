/** What each caller is shown: lists built once for every role and choice of rooms, and the way from a name to its tool. */
import type { Tool } from '@modelcontextprotocol/server';
import type { z } from 'zod';
import type { AnyOperation } from '../operations/contract.ts';
import { mayDo } from '../schema/access.ts';
import { Failure } from '../schema/failures.ts';
import type { Principal } from '../schema/principal.ts';
import type { DoorLog } from './contract.ts';
import { CALL_TOOL, LIST_TOOLS, type ListToolsOutput, metaTools } from './meta-tools.ts';
import { quote } from './results.ts';
import { inputSchema, outputSchema } from './schemas.ts';
import { type OperationTool, operationTools, withinBudget } from './tools.ts';

export interface Catalogue {
  /** The listed tools, the same array for the same role and rooms. Rooms null: the default choice. */
  list(principal: Principal, rooms: string[] | null): readonly Tool[];
  /** By tool name, or by the operation's own name. */
  find(name: string): OperationTool | undefined;
  /** What `list_available_tools` answers. Throws Failure for an unknown room or tool. */
  describe(principal: Principal, query: { room?: string | undefined; tool?: string | undefined }): Description;
  /** The names a caller may use, for the error about one that does not exist. */
  names(principal: Principal): string[];
  /** From `?rooms=a,b`: sorted, without repeats; null when absent. Throws Failure for an unknown room. */
  rooms(parameter: string | null): string[] | null;
}

type Description = z.output<typeof ListToolsOutput>;

export function createCatalogue(operations: readonly AnyOperation[], extra: readonly Tool[], log: DoorLog): Catalogue {
  const tools = operationTools(operations);
  const byOperation = new Map([...tools.values()].map((tool) => [tool.operation.name, tool]));
  const rooms: string[] = [...new Set([...tools.values()].map((tool) => tool.operation.room))].sort();
  const meta = metaTools(rooms);
  const lists = new Map<string, readonly Tool[]>();

  const reachable = (principal: Principal) =>
    [...tools.values()].filter((tool) => mayDo(principal, tool.operation.permission));

  function build(principal: Principal, chosen: string[] | null): readonly Tool[] {
    const candidates = reachable(principal)
      .filter(({ operation }) =>
        chosen ? operation.mcp && chosen.includes(operation.room) : operation.mcp?.listed === true,
      )
      // A wider choice must not push out what is listed by default.
      .sort((a, b) => Number(b.operation.mcp?.listed) - Number(a.operation.mcp?.listed));
    const { kept, dropped } = withinBudget(
      meta,
      candidates.map((tool) => tool.definition),
    );
    if (dropped.length > 0) log.warn({ dropped, rooms: chosen }, 'tools left out of the list to keep it short');
    return Object.freeze([...kept.slice(meta.length), ...meta, ...extra]);
  }

  function checkRoom(room: string): void {
    if (!rooms.includes(room)) {
      throw new Failure('invalid_input', `No room ${quote(room)}; there are ${rooms.join(', ')}`);
    }
  }

  const find = (name: string) => tools.get(name) ?? byOperation.get(name);
  const names = (principal: Principal) => [
    ...reachable(principal).map((tool) => tool.name),
    LIST_TOOLS,
    CALL_TOOL,
    ...extra.map((tool) => tool.name),
  ];

  return {
    find,
    names,

    list(principal, chosen) {
      const key = `${principal.role} ${chosen?.join(',') ?? '*'}`;
      const known = lists.get(key);
      if (known) return known;
      const list = build(principal, chosen);
      lists.set(key, list);
      return list;
    },

    describe(principal, { room, tool: name }) {
      if (room !== undefined) checkRoom(room);
      const description: Description = {
        tools: reachable(principal)
          .filter((tool) => room === undefined || tool.operation.room === room)
          .map((tool) => ({ name: tool.name, room: tool.operation.room, summary: tool.operation.summary })),
        rooms,
      };
      if (name === undefined) return description;
      const tool = find(name);
      if (!tool) throw unknownTool(name, names(principal));
      const whole = outputSchema(tool.operation.output);
      description.tool = {
        name: tool.name,
        description: tool.definition.description ?? '',
        input_schema: inputSchema(tool.operation.input),
        ...(whole && { output_schema: whole }),
      };
      return description;
    },

    rooms(parameter) {
      if (parameter === null) return null;
      const asked = [...new Set(parameter.split(',').map((room) => room.trim()))].filter(Boolean).sort();
      asked.forEach(checkRoom);
      return asked.length > 0 ? asked : null;
    },
  };
}

/** Says which names there are, so that a model can pick one. */
export function unknownTool(name: string, valid: readonly string[]): Failure {
  return new Failure('unknown_tool', `No tool ${quote(name)}. Valid tools: ${valid.join(', ')}`);
}
