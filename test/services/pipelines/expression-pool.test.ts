/** Expressions written to take the house down: each ends within its bounds, and whoever asked goes on as before. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of pipelines
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json } from '../../../src/schema/json.ts';
import { createExpressions, type Expressions } from '../../../src/services/pipelines/expression-pool.ts';
import type { Scope } from '../../../src/services/pipelines/expressions.ts';

const scope: Scope = {
  input: { rows: [1, 2, 3], text: 'x'.repeat(100_000) },
  parameters: { n: 5, list: Array.from({ length: 2_000 }, (_, n) => n) },
  stages: { load: { output: { rows: 10 } }, other: { output: { words: 'y'.repeat(5_000_000) } } },
  run: { id: 'r' },
};
const names = ['load', 'other'];
let expressions: Expressions;
const value = (text: string): Promise<Json> => expressions.give({ op: 'value', text, names, scope }, 'ana');

beforeAll(() => {
  expressions = createExpressions();
});
afterAll(async () => {
  const pids = expressions.pids();
  await expressions.close();
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
});

/** `wrap` so many times in itself around `end`; `@` in both is the depth, `#` the one above. */
const nested = (times: number, wrap: string, end: string): string =>
  Array.from({ length: times }, (_, n) => wrap.replaceAll('@', `v${n + 1}`).replaceAll('#', `v${n}`)).join('') +
  end.replaceAll('@', `v${times}`) +
  ')'.repeat(times);

const grown = (times: number, first: string, end: string) =>
  `cel.bind(v0, ${first}, ${nested(times, 'cel.bind(@, # + # + # + # + # + # + # + #, ', end)})`;

test('plain expressions start no process; others share one', async () => {
  expect(await value('stages.load.output.rows > 3 && has(input.rows) && size(input.rows) == 3')).toBe(true);
  expect(expressions.pids()).toEqual([]);
  expect(await value('input.rows.map(x, x * 2)')).toEqual([2, 4, 6]);
  const pids = expressions.pids();
  expect(pids).toHaveLength(1);
  const config = { a: '${input.rows.filter(x, x > 1)}', b: 'n is ${parameters.n}' };
  const given = await expressions.give({ op: 'templates', value: config, names, scope }, 'ana');
  expect(given).toEqual({ a: [2, 3], b: 'n is 5' });
  expect(expressions.pids()).toEqual(pids);
});

test.each([
  ['a list of lists', 'parameters.list.map(a, parameters.list.map(b, parameters.list.map(c, [a, b, c])))'],
  ['lists that grow', grown(9, '[1.5, 2.5, 3.5, 4.5]', 'size(@) > 0')],
  ['text that grows, taken apart', grown(4, 'input.text', '@.split("").size() > 0')],
  ['text that grows, as bytes', grown(4, 'input.text', 'bytes(@).hex().size() > 0')],
  ['text that grows, searched', grown(4, 'input.text', '@.matches("(x+x+)+y")')],
  ['text put together', 'parameters.list.map(a, input.text).join("").split("").size() > 0'],
  ['a pattern that backtracks', 'input.text.matches("^(x+)+y$")'],
  ['loops', 'parameters.list.all(a, parameters.list.all(b, parameters.list.all(c, a + b + c >= 0)))'],
  ['a large result', 'parameters.list.map(a, input.text)'],
])('%s', async (_, text) => {
  await expect(value(text)).rejects.toMatchObject({
    code: 'invalid_pipeline',
    message: expect.stringMatching(/takes (longer|more memory) than|Invalid string length|gives more than/),
  });
  // This process is none the worse for it, and the next expression is answered.
  expect(await value('input.rows.map(x, x + 1)')).toEqual([2, 3, 4]);
});

test('many at once, hostile and not, all end', async () => {
  const hostile = grown(9, '[1.5, 2.5, 3.5, 4.5]', 'size(@) > 0');
  const asked = Array.from({ length: 8 }, (_, n) => value(n % 2 === 0 ? hostile : `input.rows.map(x, x + ${n})`));
  const ends = await Promise.allSettled(asked);
  expect(ends.map(({ status }) => status)).toEqual(ends.map((_, n) => (n % 2 === 0 ? 'rejected' : 'fulfilled')));
  expect(expressions.pids().length).toBeLessThanOrEqual(2);
});

test('what nests too deep or reads too much is refused before it is tried', async () => {
  const deep = 'input.rows.map(a, input.rows.map(b, input.rows.map(c, input.rows.map(d, d))))';
  await expect(value(deep)).rejects.toThrow(/more than 3 deep/);
  await expect(value('stages.other.output.words.split("y")')).rejects.toThrow(/4194304 are allowed/);
  // What no expression reads does not count.
  expect(await value('[stages.load.output.rows].map(x, x)')).toEqual([10]);
});

test('where somebody else ends the evaluator, another takes its place', async () => {
  await value('input.rows.map(x, x)');
  const pids = expressions.pids();
  const asked = value('parameters.list.filter(x, x > 1).size()');
  for (const pid of pids) process.kill(pid, 'SIGHUP');
  expect(await asked).toBe(1_998);
  expect(expressions.pids().some((pid) => pids.includes(pid))).toBe(false);
});

test.each([
  ['killed by somebody else', 'SIGKILL'],
  // It never answers, until its time is up.
  ['given no processor', 'SIGSTOP'],
] as const)('an expression is not blamed for an evaluator that was %s', async (_, signal) => {
  await value('input.rows.map(x, x)');
  const pids = expressions.pids();
  const asked = value('parameters.list.filter(x, x > 1).size()');
  for (const pid of pids) process.kill(pid, signal);
  expect(await asked).toBe(1_998);
  expect(expressions.pids().some((pid) => pids.includes(pid))).toBe(false);
});

test('one whose every evaluator is killed is', async () => {
  const asked = value('input.rows.map(x, x)').then(null, (error: unknown) => error);
  let over = false;
  void asked.then(() => {
    over = true;
  });
  // Each as soon as it is there: none gets to answer.
  while (!over) {
    for (const pid of expressions.pids()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await asked).toMatchObject({ code: 'invalid_pipeline', message: expect.stringContaining('more memory than') });
});

test('owners take turns: one who asks for much holds up nobody else for longer than one expression', async () => {
  const ends: string[] = [];
  const ask = async (owner: string) => {
    await expressions.give({ op: 'value', text: 'input.rows.map(x, x)', names, scope }, owner);
    ends.push(owner);
  };
  await Promise.all([...Array.from({ length: 20 }, () => ask('much')), ask('one'), ask('other')]);
  // Two are at work when they ask, and as many may end beside each of them.
  expect(Math.max(ends.indexOf('one'), ends.indexOf('other'))).toBeLessThan(8);
});
