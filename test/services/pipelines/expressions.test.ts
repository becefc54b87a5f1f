/** Conditions and templates: what they give, and what they cannot do. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of pipelines
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { Json } from '../../../src/schema/json.ts';
import { prepared } from '../../../src/services/pipelines/expression-job.ts';
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

test('what is put together of many parts is bounded before it is put together', () => {
  const of = (path: string) => JSON.stringify(new URL(`../../../src/services/pipelines/${path}.ts`, import.meta.url));
  // In a process of its own, whose greatest size tells.
  const script = `
    import { perform } from ${of('expression-job')};
    const input = { s: 'x'.repeat(250_000) };
    const before = process.resourceUsage().maxRSS;
    const value = { text: '\${input.s}'.repeat(1900) };
    let said;
    try {
      perform({ op: 'templates', names: [], value, scope: { input, parameters: {}, stages: {}, run: {} } });
    } catch (error) { said = error.message; }
    console.log(JSON.stringify({ said, grown: process.resourceUsage().maxRSS - before }));`;
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const { said, grown } = JSON.parse(told);
  expect(said).toMatch(/more than 262144 bytes/);
  // Measured: 13 MiB, and 470 when put together first.
  expect(grown).toBeLessThan(150 * 1024);
});

test('plain expressions that read much together are none for this process', () => {
  const isPlain = (value: Json, input: Json) =>
    prepared({ op: 'templates', names, value: { value }, scope: { ...scope, parameters: {}, input } }).plain;
  const one = '${size(input.s)}';
  expect(isPlain(one.repeat(500), { s: 'little' })).toBe(true);
  expect(isPlain(one.repeat(16), { s: 'x'.repeat(900_000) })).toBe(true);
  expect(isPlain(one.repeat(17), { s: 'x'.repeat(900_000) })).toBe(false);
  expect(isPlain(`\${size(${Array(17).fill('input.s').join(' + ')})}`, { s: 'x'.repeat(900_000) })).toBe(false);
});

/** Takes time of the clock and none of the processor. */
const pause = (ms: number) => {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (const until = Date.now() + ms; Date.now() < until; ) Atomics.wait(cell, 0, 0, 10);
};

test('an expression is not blamed for time in which the machine gave it no processor', () => {
  let tries = 0;
  const work = () => {
    tries += 1;
    if (tries < 3) pause(10_000);
    return tries;
  };
  expect(withinTime(work)).toBe(3);
  expect(() => withinTime(() => pause(10_000))).toThrow(expect.objectContaining({ code: 'unavailable' }));
});
