/** Conditions and templates: what they give, and what they cannot do. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of pipelines
import { expect, test } from 'vitest';
import type { Json } from '../../../src/schema/json.ts';
import {
  celScope,
  evaluate,
  parseExpression,
  type Scope,
  withinTime,
} from '../../../src/services/pipelines/expressions.ts';
import { resolveTemplates } from '../../../src/services/pipelines/templates.ts';

const names = ['data-ingestion', 'clean'];
const scope: Scope = {
  input: { source: 's3://bucket', rows: [1, 2, 3] },
  parameters: { n: 5, share: 0.5, text: `${'a'.repeat(40)}b`, list: Array.from({ length: 2_000 }, (_, n) => n) },
  stages: { 'data-ingestion': { status: 'completed', output: { rows: 10 } } },
  run: { id: 'r' },
  item: { city: 'Oslo' },
  item_index: 0,
};
const value = (text: string): Json => withinTime(() => evaluate(parseExpression(text, names), celScope(scope)));

test.each<[string, Json]>([
  ['parameters.n > 3 && input.source.startsWith("s3")', true],
  ['parameters.n * 2', 10],
  ['parameters.n * parameters.share', 2.5],
  ['1 + 0.5', 1.5],
  ['stages.data-ingestion.output.rows - 1', 9],
  ['stages["data-ingestion"].status == "completed"', true],
  ['has(stages.clean)', false],
  ['input.rows.filter(x, x > 1)', [2, 3]],
  ['{"a": [parameters.n, "b", null]}', { a: [5, 'b', null] }],
  ['item.city', 'Oslo'],
])('%s', (text, wanted) => {
  expect(value(text)).toEqual(wanted);
});

test.each([
  'parameters.constructor',
  'parameters.__proto__',
  'parameters["__proto__"]',
  'parameters.n.constructor',
  'input.rows.constructor',
  'parameters.hasOwnProperty("n")',
  'item.toString()',
])('%s reaches nothing that is not data', (text) => {
  expect(() => value(text)).toThrow(expect.objectContaining({ code: 'invalid_pipeline' }));
});

test.each([
  'parameters.list.all(a, parameters.list.all(b, parameters.list.all(c, a + b + c >= 0)))',
  'parameters.text.matches("^(a+)+$")',
])('%s is stopped', (text) => {
  expect(() => value(text)).toThrow(/takes longer than/);
});

test('templates keep the type when they stand alone, and are text inside text', () => {
  const config = {
    n: '${parameters.n}',
    text: '${item.city}: ${parameters.n} $${x} ${ {"a": "}"} }',
    deep: [{ a: '${input.rows}' }],
  };
  expect(withinTime(() => resolveTemplates(config, names, scope))).toEqual({
    n: 5,
    text: 'Oslo: 5 ${x} {"a":"}"}',
    deep: [{ a: [1, 2, 3] }],
  });
});

test('what templates make is bounded', () => {
  const wide = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`k${n}`, '${parameters.list}']));
  expect(() => withinTime(() => resolveTemplates(wide, names, scope))).toThrow(/more than 262144 bytes/);
});
