/** `transformation`: each step, SQL, and what is said of a step that cannot be done. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/schema/json.ts';
import type { StageRequest } from '../../../src/schema/stages/contract.ts';
import { type StageKit, stageKit } from './kit.ts';

let kit: StageKit;
let inputs: StageRequest['inputs'];
beforeAll(async () => {
  kit = await stageKit();
  const rows = Array.from({ length: 12 }, (_, id) => ({ id, g: `g${id % 3}`, v: id * 1.5, w: id % 2 ? id : null }));
  inputs = [
    { name: 'rows', dataset: await kit.dataset(rows) },
    {
      name: 'names',
      dataset: await kit.dataset([
        { key: 'g1', id: 'one' },
        { key: 'g0', id: 'zero' },
        { key: 'g1', id: 'uno' },
        { key: 'g9', id: 'nine' },
      ]),
    },
  ];
});
afterAll(() => kit.close());

const transform = async (config: JsonObject) => kit.rows((await kit.run('transformation', config, { inputs })).dataset);
const ids = async (config: JsonObject) => (await transform(config)).map((row) => row.id);

describe('steps', () => {
  test('without any, the input goes on as it is', async () => {
    const done = await kit.run('transformation', {}, { inputs });
    expect(done.dataset).toEqual(inputs[0]?.dataset);
  });

  test('select, rename, cast, derive, filter, limit', async () => {
    const rows = await transform({
      steps: [
        { filter: 'id >= 2 -- and no comment spoils it' },
        { rename: { g: 'group' } },
        { derive: { v: 'v + 1', double: 'v * 2' } },
        { cast: { id: 'VARCHAR', w: { type: 'DOUBLE', on_error: 'null' } } },
        { limit: 2 },
        { select: ['double', 'id', 'group', 'v'] },
      ],
    });
    expect(rows).toEqual([
      { double: 6, id: '2', group: 'g2', v: 4 },
      { double: 9, id: '3', group: 'g0', v: 5.5 },
    ]);
    await expect(transform({ steps: [{ cast: { g: 'INTEGER' } }] })).rejects.toMatchObject({ code: 'sql_failed' });
    expect(
      (await transform({ cast: { g: { type: 'INTEGER', on_error: 'null' } } })).every((row) => row.g === null),
    ).toBe(true);
  });

  test('deduplicate keeps the first by order, else the first there was', async () => {
    expect(await ids({ deduplicate: { keys: ['g'] } })).toEqual(['0', '1', '2']);
    expect(await ids({ deduplicate: { keys: ['g'], order: [{ column: 'id', descending: true }] } })).toEqual([
      '9',
      '10',
      '11',
    ]);
    const twice = [{ name: 'twice', dataset: await kit.dataset([{ a: 1 }, { a: 1 }, { a: 2 }]) }];
    expect((await kit.run('transformation', { deduplicate: true }, { inputs: twice })).dataset?.rows).toBe(2);
  });

  test('aggregate, in the order of its keys', async () => {
    const measures = {
      n: { function: 'count' },
      s: { function: 'sum', column: 'v' },
      first: { function: 'first', column: 'id' },
      last: { function: 'last', column: 'id' },
      d: { function: 'count_distinct', column: 'w' },
    };
    expect(await transform({ aggregate: { group_by: ['g'], measures } })).toEqual([
      { g: 'g0', n: '4', s: 27, first: '0', last: '9', d: '2' },
      { g: 'g1', n: '4', s: 33, first: '1', last: '10', d: '2' },
      { g: 'g2', n: '4', s: 39, first: '2', last: '11', d: '2' },
    ]);
    expect(await transform({ aggregate: { measures: { total: { function: 'sum', column: 'id' } } } })).toEqual([
      { total: '66' },
    ]);
  });

  test('sort breaks ties by the order there was', async () => {
    expect(await ids({ sort: [{ column: 'g', descending: true }], limit: 5 })).toEqual(['2', '5', '8', '11', '1']);
    expect(await ids({ sort: [{ column: 'w', nulls: 'first' }], limit: 2 })).toEqual(['0', '2']);
  });

  test('joins of every kind, in the order of the left rows and then the right ones', async () => {
    const joined = async (type: string) =>
      transform({ join: { with: 'names', on: { g: 'key' }, type }, limit: 40, select: ['id', 'g', 'right_id'] });
    expect((await joined('left')).slice(0, 4)).toEqual([
      { id: '0', g: 'g0', right_id: 'zero' },
      { id: '1', g: 'g1', right_id: 'one' },
      { id: '1', g: 'g1', right_id: 'uno' },
      { id: '2', g: 'g2', right_id: null },
    ]);
    expect(await joined('inner')).toHaveLength(12);
    expect((await joined('full')).at(-1)).toEqual({ id: null, g: 'g9', right_id: 'nine' });
    expect((await joined('right')).at(-1)).toEqual({ id: null, g: 'g9', right_id: 'nine' });
    expect(await ids({ join: { with: 'names', on: { g: 'key' }, type: 'semi' } })).toHaveLength(8);
    expect(await ids({ join: { with: 'names', on: { g: 'key' }, type: 'anti' } })).toEqual(['2', '5', '8', '11']);
  });

  test('a step that cannot be done is named, with what there is', async () => {
    const fails = (config: JsonObject) => expect(transform(config)).rejects;
    await fails({ select: ['nope'] }).toMatchObject({
      code: 'invalid_input',
      message: 'select: there is no column nope; there are id, g, v, w',
    });
    await fails({ steps: [{ limit: 5 }, { sort: ['nope'] }] }).toMatchObject({
      code: 'invalid_input',
      message: expect.stringMatching(/^steps\.1\.sort: /),
    });
    await fails({ steps: [{ derive: { x: 'nope + 1' } }] }).toMatchObject({
      code: 'sql_failed',
      message: expect.stringMatching(/^steps\.0\.derive: .*"nope"/),
    });
    await fails({ join: { with: 'absent', on: ['id'] } }).toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining('there are rows, names'),
    });
    await fails({ steps: [{ unknown: 1 }] }).toMatchObject({ code: 'invalid_input' });
    await fails({ sql: 'SELECT 1', limit: 1 }).toMatchObject({ code: 'invalid_input' });
    await expect(kit.run('transformation', { limit: 1 })).rejects.toMatchObject({ code: 'invalid_input' });
  });
});

describe('SQL', () => {
  test('sees the inputs by name and the first as input', async () => {
    expect(await transform({ sql: 'SELECT count(*) AS n FROM input JOIN names ON g = key; -- the end' })).toEqual([
      { n: '12' },
    ]);
    expect(await transform({ sql: 'SELECT g, sum(v) AS s FROM "rows" GROUP BY g ORDER BY s DESC' })).toEqual([
      { g: 'g2', s: 39 },
      { g: 'g1', s: 33 },
      { g: 'g0', s: 27 },
    ]);
  });

  test('whole sums stay exact', async () => {
    const done = await kit.run(
      'transformation',
      { sql: 'SELECT sum(9007199254740993 + id) AS s FROM input' },
      { inputs },
    );
    expect(done.dataset?.columns).toEqual([{ name: 's', type: 'DECIMAL(38,0)' }]);
    expect(await kit.rows(done.dataset)).toEqual([{ s: '108086391056891982' }]);
  });

  test('the engine says what is wrong with it', async () => {
    await expect(transform({ sql: 'SELECT nope FROM input' })).rejects.toMatchObject({
      code: 'sql_failed',
      message: expect.stringContaining('nope'),
    });
    await expect(transform({ sql: 'SELECT FROM WHERE' })).rejects.toMatchObject({
      code: 'sql_denied',
      message: expect.stringContaining('cannot be parsed'),
    });
    await expect(transform({ sql: 'SELECT g::INTEGER FROM input' })).rejects.toMatchObject({ code: 'sql_failed' });
  });
});
