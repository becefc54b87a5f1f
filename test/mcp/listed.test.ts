/** The house's own tools: which are listed, what the list costs, and that their declarations hold together. */
import { expect, test } from 'vitest';
import { createCatalogue } from '../../src/mcp/catalogue.ts';
import { MOST_TOKENS, MOST_TOOLS, operationTools, roughTokens } from '../../src/mcp/tools.ts';
import { operations } from '../../src/operations/index.ts';
import { root } from '../fixtures/mcp/principals.ts';

const left: object[] = [];
const catalogue = createCatalogue(operations, [], { warn: (fields) => void left.push(fields), error: () => {} });
const tools = [...operationTools(operations).values()];

test('the list is the short one, and cheap', () => {
  const list = catalogue.list(root, null);
  expect(list.map((tool) => tool.name)).toEqual([
    'ingest_file',
    'search_content',
    'get_query_suggestions',
    'get_processing_status',
    'list_workflows',
    'get_workflow',
    'wait_for_workflow',
    'cancel_workflow',
    'signal_workflow',
    'submit_task',
    'register_agent',
    'list_agents',
    'create_pipeline',
    'execute_pipeline',
    'decide_approval',
    'list_available_tools',
    'call_tool',
  ]);
  expect(list.length).toBeLessThanOrEqual(MOST_TOOLS);
  expect(roughTokens(list)).toBeLessThan(MOST_TOKENS);
});

test('no choice of rooms loses a tool', () => {
  for (const room of new Set(tools.map((tool) => tool.operation.room))) catalogue.list(root, [room]);
  expect(left).toEqual([]);
});

test.each(tools.map((tool) => ({ name: tool.name, tool })))('$name can be listed by any client', ({ tool }) => {
  expect(tool.name).toMatch(/^[A-Za-z0-9_.-]{1,64}$/);
  expect(tool.definition.title).toBeTruthy();
  expect(tool.definition.description?.length).toBeGreaterThan(0);
  expect(tool.definition.description?.length).toBeLessThanOrEqual(400);
});

const declared = tools.flatMap(({ name, operation, definition }) =>
  operation.mcp ? [{ name, mcp: operation.mcp, operation, definition }] : [],
);

test.each(declared)('$name promises nothing that contradicts itself', ({ mcp, operation }) => {
  expect(mcp.readOnly && mcp.destructive).toBe(false);
  // Every change is audited, so what is audited is a change.
  expect(operation.audited && mcp.readOnly).toBe(false);
});

test('what starts work names a field of its output as the task', () => {
  const starting = declared.filter(({ mcp }) => mcp.taskFrom !== undefined);
  expect(starting.map(({ name }) => name)).toContain('ingest_file');
  for (const { mcp, definition } of starting) {
    expect(Object.keys(definition.outputSchema?.properties ?? {})).toContain(mcp.taskFrom);
  }
});
