/** Schemas in lists: short, and never narrower than the whole ones. */
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/server/validators/ajv';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { createCatalogue } from '../../src/mcp/catalogue.ts';
import { inputSchema, listedSchemas, outputSchema } from '../../src/mcp/schemas.ts';
import { operations } from '../../src/operations/index.ts';
import { root } from '../fixtures/mcp/principals.ts';

const Answer = z.object({
  id: z.uuid(),
  state: z.enum(['on', 'off']),
  kind: z.enum(Array.from({ length: 30 }, (_, i) => `kind-${i}`) as [string, ...string[]]),
  at: z.iso.datetime().nullable(),
  error: z.object({ code: z.string() }).nullable(),
  items: z.array(z.object({ name: z.string().max(3) })),
  either: z.union([z.string(), z.object({ a: z.string() })]),
  any: z.record(z.string(), z.json()),
  pattern: z.string().describe('a field named like a keyword'),
});

test('an answer is names and types, one level of them', () => {
  expect(listedSchemas(z.object({}), Answer).output).toEqual({
    type: 'object',
    properties: {
      id: { type: 'string' },
      state: { type: 'string', enum: ['on', 'off'] },
      kind: { type: 'string' },
      at: { type: ['string', 'null'] },
      error: { type: ['object', 'null'] },
      items: { type: 'array', items: { type: 'object' } },
      either: { anyOf: [{ type: 'string' }, { type: 'object' }] },
      any: { type: 'object' },
      pattern: { type: 'string', description: 'a field named like a keyword' },
    },
    required: ['id', 'state', 'kind', 'at', 'error', 'items', 'either', 'any', 'pattern'],
  });
});

test('a call keeps bounds, choices and defaults, and loses lengths and patterns', () => {
  const Call = z.strictObject({
    id: z.string().regex(/^a/).max(9),
    size: z.int().min(1).max(5).default(2),
    pattern: z.string().optional(),
    deep: z.strictObject({ names: z.array(z.enum(['a', 'b'])).max(3) }).optional(),
  });
  expect(listedSchemas(Call, z.string())).toEqual({
    input: {
      type: 'object',
      properties: {
        id: { type: 'string' },
        size: { type: 'integer', minimum: 1, maximum: 5, default: 2 },
        pattern: { type: 'string' },
        deep: {
          type: 'object',
          properties: { names: { type: 'array', items: { type: 'string', enum: ['a', 'b'] } } },
          required: ['names'],
        },
      },
      required: ['id'],
    },
  });
});

test('any JSON needs no words; what refers to itself keeps them', () => {
  expect(inputSchema(z.object({ free: z.record(z.string(), z.json()), list: z.array(z.json()) }))).toEqual({
    type: 'object',
    properties: { free: { type: 'object' }, list: { type: 'array', items: {} } },
    required: ['free', 'list'],
  });
  const Tree: z.ZodType = z.object({
    name: z.string(),
    get below() {
      return z.array(Tree);
    },
  });
  expect(outputSchema(z.object({ tree: Tree, free: z.json() }))).toHaveProperty('$defs');
});

test('what fits the whole schema fits the listed one', async () => {
  const values = [
    {
      id: '0b8f6f0a-3f0c-4d4e-9a55-5a5f0f4c1a01',
      state: 'on',
      kind: 'kind-29',
      at: null,
      error: null,
      items: [{ name: 'abc' }],
      either: 'x',
      any: { a: [null] },
      pattern: '',
    },
  ];
  const { output } = listedSchemas(z.object({}), Answer);
  const check = new AjvJsonSchemaValidator().getValidator(output ?? {});
  for (const value of values) {
    expect(Answer.safeParse(value).success).toBe(true);
    expect(check(value)).toMatchObject({ valid: true });
  }
  expect(check({ ...values[0], items: 'none' })).toMatchObject({ valid: false });
});

test('one tool asked for by name has its schemas whole', () => {
  const silent = { warn: () => {}, error: () => {} };
  const catalogue = createCatalogue(operations, [], silent);
  const { tool } = catalogue.describe(root, { tool: 'search_content' });
  const listed = catalogue.list(root, null).find(({ name }) => name === 'search_content');
  expect(JSON.stringify(tool?.input_schema)).toContain('"maxLength"');
  expect(JSON.stringify(listed?.inputSchema)).not.toContain('"maxLength"');
  expect(JSON.stringify(tool?.output_schema)).toContain('"format":"uuid"');
});
