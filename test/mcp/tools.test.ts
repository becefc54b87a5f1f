/** Tools made of operations: names, schemas, annotations, and lists that stay short. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { createCatalogue } from '../../src/mcp/catalogue.ts';
import { inputSchema, outputSchema } from '../../src/mcp/schemas.ts';
import { MOST_TOKENS, MOST_TOOLS, operationTools, roughTokens } from '../../src/mcp/tools.ts';
import { type AnyOperation, defineOperation } from '../../src/operations/contract.ts';
import { houseOperations } from '../fixtures/mcp/house.ts';
import { createMemoryTasks } from '../fixtures/mcp/memory-tasks.ts';
import { ada, root, vera } from '../fixtures/mcp/principals.ts';

const house = () => houseOperations(createMemoryTasks(), { aborted: [], idempotencyKeys: [], reported: 0 });
const silent = { warn: () => {}, error: () => {} };

function many(count: number, words: number, listed = true): AnyOperation[] {
  return Array.from({ length: count }, (_, i) =>
    defineOperation({
      name: `query.op${i}`,
      summary: `Operation ${i}`,
      room: 'query',
      permission: 'query:run',
      input: z.object({ text: z.string().describe('word '.repeat(words)) }),
      output: z.object({ ok: z.boolean() }),
      mcp: {
        tool: `tool_${i}`,
        title: `Tool ${i}`,
        description: 'Does something.',
        readOnly: true,
        destructive: false,
        idempotent: true,
        openWorld: false,
        listed,
      },
      failures: [],
      audited: false,
      run: async () => ({ ok: true }),
    }),
  );
}

test('schemas say what is exact and leave out what only costs tokens', () => {
  const schema = inputSchema(
    z.object({ id: z.uuid(), at: z.iso.datetime().optional(), limit: z.number().int().min(1).default(10) }),
  );
  expect(schema).toEqual({
    type: 'object',
    properties: {
      id: { type: 'string', format: 'uuid' },
      at: { type: 'string', format: 'date-time' },
      limit: { type: 'integer', minimum: 1, default: 10 },
    },
    required: ['id'],
  });
});

test('an output that may be one of several objects keeps a root that clients of 2025 accept', () => {
  const either = z.union([z.object({ a: z.string() }), z.object({ b: z.string() })]);
  expect(outputSchema(either)).toMatchObject({ type: 'object', anyOf: [{ type: 'object' }, { type: 'object' }] });
  expect(outputSchema(z.string())).toBeUndefined();
  expect(outputSchema(z.union([z.object({}), z.string()]))).toBeUndefined();
});

test('annotations are those of the declaration; what HTTP alone exposes is judged by its method', () => {
  const tools = operationTools(house());
  expect(tools.get('search_content')?.definition.annotations).toEqual({ readOnlyHint: true, openWorldHint: false });
  expect(tools.get('rename_file')?.definition.annotations).toEqual({
    readOnlyHint: false,
    destructiveHint: true,
    idempotentHint: true,
    openWorldHint: false,
  });
  expect(tools.get('keys.list')?.definition.annotations?.readOnlyHint).toBe(true);
  expect(tools.has('files.upload')).toBe(false);
});

test('two operations cannot share a tool name', () => {
  const [one] = many(1, 1);
  expect(() => operationTools([one as AnyOperation, one as AnyOperation])).toThrow('tool_0');
});

test('a list is built once for a role and a choice of rooms', () => {
  const catalogue = createCatalogue(house(), [], silent);
  expect(catalogue.list(ada, null)).toBe(catalogue.list({ ...ada, id: 'another' }, null));
  expect(catalogue.list(ada, ['query'])).not.toBe(catalogue.list(ada, null));
  expect(catalogue.list(vera, null)).not.toBe(catalogue.list(ada, null));
});

test('a list never holds more than 25 tools, and says what it left out', () => {
  const left: unknown[] = [];
  const catalogue = createCatalogue(many(40, 1), [], { ...silent, warn: (fields) => void left.push(fields) });
  const list = catalogue.list(root, null);
  expect(list).toHaveLength(MOST_TOOLS);
  expect(list.map((tool) => tool.name)).toEqual(expect.arrayContaining(['list_available_tools', 'call_tool']));
  expect(left).toMatchObject([{ dropped: expect.arrayContaining(['tool_39']) }]);
  expect(catalogue.describe(root, {}).tools).toHaveLength(40);
});

test('a list stays under 6,000 tokens', () => {
  const list = createCatalogue(many(20, 400), [], silent).list(root, null);
  expect(list.length).toBeLessThan(20);
  expect(roughTokens(list)).toBeLessThan(MOST_TOKENS);
});

test('tools listed by default are never pushed out by a wider choice', () => {
  const wide = [...many(40, 1, false), ...house()];
  const names = createCatalogue(wide, [], silent)
    .list(ada, ['ingestion', 'query', 'workflows'])
    .map((tool) => tool.name);
  expect(names).toEqual(expect.arrayContaining(['ingest_file', 'search_content', 'get_workflow', 'wait_for_workflow']));
});
