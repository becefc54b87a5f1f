/** The two tools that reach everything a short list leaves out: one names what there is, one calls it. */
import type { Tool } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { inputSchema, outputSchema } from './schemas.ts';

export const LIST_TOOLS = 'list_available_tools';
export const CALL_TOOL = 'call_tool';

export const ListToolsInput = z.object({
  room: z.string().optional().describe('only tools of this room'),
  tool: z.string().optional().describe('name of one tool: adds its full schema'),
});

export const ListToolsOutput = z.object({
  tools: z.array(z.object({ name: z.string(), room: z.string(), summary: z.string() })),
  rooms: z.array(z.string()),
  tool: z
    .object({
      name: z.string(),
      description: z.string(),
      input_schema: z.record(z.string(), z.unknown()),
      output_schema: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
});

export const CallToolInput = z.object({
  name: z.string().min(1).describe('a name from list_available_tools'),
  arguments: z.record(z.string(), z.unknown()).default({}),
});

/** Built once; the names of the rooms go into the description so that a model need not ask for them. */
export function metaTools(rooms: readonly string[]): Tool[] {
  return [
    {
      name: LIST_TOOLS,
      title: 'List available tools',
      description: `Names every tool you may call with one line each; rooms: ${rooms.join(', ')}. Give \`tool\` for the schema of one. Call what is not in your tool list through call_tool.`,
      inputSchema: inputSchema(ListToolsInput) as Tool['inputSchema'],
      outputSchema: outputSchema(ListToolsOutput) as NonNullable<Tool['outputSchema']>,
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    {
      name: CALL_TOOL,
      title: 'Call a tool by name',
      description:
        'Calls any tool that list_available_tools names. The arguments and the result are those of that tool; ask for its schema first.',
      inputSchema: inputSchema(CallToolInput) as Tool['inputSchema'],
      // It may call anything, so it promises nothing.
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
    },
  ];
}
