/** The 25 tools that every measured server has, and the one answer all of them give. */
import type { Tool } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { createCatalogue } from '../../src/mcp/catalogue.ts';
import { MOST_TOOLS } from '../../src/mcp/tools.ts';
import { type AnyOperation, defineOperation } from '../../src/operations/contract.ts';
import type { Principal } from '../../src/schema/principal.ts';

export const BENCH_PRINCIPAL: Principal = {
  id: 'bench',
  name: 'bench',
  role: 'developer',
  grants: [],
  via: 'local',
  keyId: null,
};
export const NOOP = 'noop_0';
export const NOOP_ARGUMENTS = { text: 'hello', limit: 5 };
export const NOOP_OUTPUT = { ok: true, text: 'hello' };
export const NOOP_RESULT = {
  content: [{ type: 'text' as const, text: JSON.stringify(NOOP_OUTPUT) }],
  structuredContent: NOOP_OUTPUT,
};

/** As many as fit beside the door's own two. */
export const NOOP_OPERATIONS: AnyOperation[] = Array.from({ length: MOST_TOOLS - 2 }, (_, i) =>
  defineOperation({
    name: `system.noop${i}`,
    summary: `Does nothing, number ${i}`,
    room: 'system',
    permission: 'query:run',
    input: z.object({ text: z.string().describe('any text'), limit: z.number().int().min(1).max(50).default(10) }),
    output: z.object({ ok: z.boolean(), text: z.string() }),
    mcp: {
      tool: `noop_${i}`,
      title: `Nothing ${i}`,
      description: 'Does nothing and says so, with structured content.',
      readOnly: true,
      destructive: false,
      idempotent: true,
      openWorld: false,
      listed: true,
    },
    failures: [],
    audited: false,
    run: async () => NOOP_OUTPUT,
  }),
);

/** The definitions exactly as the door lists them. */
export const TOOL_LIST: Tool[] = [
  ...createCatalogue(NOOP_OPERATIONS, [], { warn: () => {}, error: () => {} }).list(BENCH_PRINCIPAL, null),
];
