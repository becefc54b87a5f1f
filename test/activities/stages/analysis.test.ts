/** `analysis` and `validation`: what they find, what they let through, and that they do not write data anew for nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/schema/json.ts';
import type { StageRequest } from '../../../src/schema/stages/contract.ts';
import { type StageKit, stageKit } from './kit.ts';

let kit: StageKit;
let inputs: StageRequest['inputs'];
beforeAll(async () => {
  kit = await stageKit();
  const rows = Array.from({ length: 200 }, (_, i) => ({
    id: i % 199,
    g: i === 5 ? null : `g${i % 3}`,
    v: i === 7 ? 9999 : i % 10,
    w: i % 2 ? 2 * (i % 10) + 1 : null,
    d: `2026-0${1 + (i % 3)}-1${i % 10}`,
    e: i % 4 ? `u${i}@x.org` : 'bad',
  }));
  inputs = [
    { name: 'rows', dataset: await kit.dataset(rows) },
    { name: 'known', dataset: await kit.dataset([{ key: 'g0' }, { key: 'g1' }, { key: 'g2' }]) },
  ];
});
afterAll(() => kit.close());

describe('analysis', () => {
  const analyse = async (config: JsonObject) => {
    const done = await kit.run('analysis', config, { inputs });
    expect(done.dataset).toEqual(inputs[0]?.dataset);
    expect(done.artifacts.map((artifact) => artifact.name)).toEqual(['analysis.json']);
    return { found: JSON.parse(await kit.text(done.artifacts[0]?.key ?? '')), summary: done.summary };
  };

  test('without a configuration profiles every column', async () => {
    const { found, summary } = await analyse({});
    expect(found.profile.map((entry: { column: string }) => entry.column)).toEqual(['id', 'g', 'v', 'w', 'd', 'e']);
    expect(found.profile[1]).toEqual({
      column: 'g',
      type: 'VARCHAR',
      count: 199,
      nulls: 1,
      distinct: 3,
      top: [
        { value: 'g0', count: 67 },
        { value: 'g1', count: 67 },
        { value: 'g2', count: 65 },
      ],
      min: 'g0',
      max: 'g2',
    });
    expect(found.profile[3]).toMatchObject({
      count: 100,
      nulls: 100,
      distinct: 5,
      min: 3,
      max: 19,
      mean: 11,
      stddev: expect.closeTo(Math.sqrt((20 * 2 * (64 + 16)) / 99), 12),
    });
    expect(found.profile[4]).toMatchObject({ type: 'DATE', min: '2026-01-10', max: '2026-03-19' });
    expect(summary).toMatchObject({ rows: 200, columns: 6, profile: { g: { nulls: 1, distinct: 3 } } });
  });

  test('quantiles, correlations, outliers, groups and time series', async () => {
    const { found } = await analyse({
      profile: false,
      quantiles: { columns: ['w'], points: [0, 0.5, 1] },
      correlations: { columns: ['v', 'w', 'id'] },
      outliers: { columns: ['v'] },
      groups: [
        {
          by: ['g'],
          measures: { most: { function: 'max', column: 'v' }, sum: { function: 'sum', column: 'id' } },
          limit: 2,
        },
      ],
      time_series: [{ column: 'd', bucket: 'month', measures: { mean: { function: 'avg', column: 'w' } } }],
    });
    expect(found.profile).toBeUndefined();
    expect(found.quantiles).toEqual({ w: { 0: 3, 0.5: 11, 1: 19 } });
    const pair = found.correlations.find((entry: { columns: string[] }) => entry.columns.join() === 'v,w');
    expect(pair.count).toBe(100);
    expect(found.outliers).toMatchObject([
      { column: 'v', method: 'iqr', above: 1, below: 0, examples: [{ row: 8, value: 9999 }] },
    ]);
    expect(found.groups).toMatchObject([
      {
        by: ['g'],
        cut: true,
        groups: [
          { key: { g: 'g0' }, count: 67, most: '9' },
          { key: { g: 'g1' }, count: 67, most: '9999' },
        ],
      },
    ]);
    expect(
      found.time_series[0].points.map((point: { from: string; count: number }) => [
        point.from.slice(0, 10),
        point.count,
      ]),
    ).toEqual([
      ['2026-01-01', 67],
      ['2026-02-01', 67],
      ['2026-03-01', 66],
    ]);
  });

  test('Pearson is what it says', async () => {
    const line = [
      {
        name: 'line',
        dataset: await kit.dataset(Array.from({ length: 50 }, (_, i) => ({ x: i, y: 3 - 2 * i, z: 7 }))),
      },
    ];
    const done = await kit.run(
      'analysis',
      { profile: false, correlations: true, outliers: { method: 'zscore' } },
      { inputs: line },
    );
    const found = JSON.parse(await kit.text(done.artifacts[0]?.key ?? ''));
    expect(found.correlations).toMatchObject([
      { columns: ['x', 'y'], coefficient: expect.closeTo(-1, 12) },
      { columns: ['x', 'z'], coefficient: null },
      { columns: ['y', 'z'], coefficient: null },
    ]);
    expect(found.outliers.map((entry: { below: number; above: number }) => entry.below + entry.above)).toEqual([
      0, 0, 0,
    ]);
  });

  test('values more than so many deviations from the mean are outliers, on either side, with their rows', async () => {
    // 98 values of 9 and 11 in turn, and one far off on each side: mean 10, deviation (n - 1) of about 5.16.
    const values = [...Array.from({ length: 98 }, (_, i) => (i % 2 ? 11 : 9)), 46, -26];
    const far = [{ name: 'far', dataset: await kit.dataset(values.map((v) => ({ v }))) }];
    const of = async (outliers: JsonObject) => {
      const done = await kit.run('analysis', { profile: false, outliers }, { inputs: far });
      return JSON.parse(await kit.text(done.artifacts[0]?.key ?? '')).outliers[0];
    };
    const deviation = Math.sqrt((98 + 2 * 36 ** 2) / 99);
    expect(await of({ method: 'zscore' })).toEqual({
      column: 'v',
      method: 'zscore',
      low: expect.closeTo(10 - 3 * deviation, 9),
      high: expect.closeTo(10 + 3 * deviation, 9),
      below: 1,
      above: 1,
      examples: [
        { row: 99, value: 46 },
        { row: 100, value: -26 },
      ],
    });
    // Within seven deviations is all of it; beyond a tenth of one, nothing is.
    expect(await of({ method: 'zscore', factor: 7 })).toMatchObject({ below: 0, above: 0, examples: [] });
    expect(await of({ method: 'zscore', factor: 0.1, examples: 1 })).toMatchObject({
      below: 50,
      above: 50,
      examples: [{ row: 1, value: 9 }],
    });
  });

  test.each([
    [
      'hour',
      ['2025-12-31 23:00:00', 1],
      ['2026-01-01 00:00:00', 2],
      ['2026-02-15 12:00:00', 1],
      ['2026-04-01 00:00:00', 1],
    ],
    ['day', ['2025-12-31', 1], ['2026-01-01', 2], ['2026-02-15', 1], ['2026-04-01', 1]],
    // Weeks begin on Monday.
    ['week', ['2025-12-29', 3], ['2026-02-09', 1], ['2026-03-30', 1]],
    ['month', ['2025-12-01', 1], ['2026-01-01', 2], ['2026-02-01', 1], ['2026-04-01', 1]],
    ['quarter', ['2025-10-01', 1], ['2026-01-01', 3], ['2026-04-01', 1]],
    ['year', ['2025-01-01', 1], ['2026-01-01', 4]],
  ] as const)('a time series by %s counts each time once, in the bucket where it lies', async (bucket, ...expected) => {
    const times = [
      '2026-01-01 00:00:00',
      '2025-12-31 23:59:59',
      '2026-02-15 12:30:00',
      '2026-01-01 00:59:59',
      '2026-04-01 00:00:00',
    ];
    const rows = [...times.map((at, n) => ({ at, n })), { at: 'no time', n: 99 }];
    const series = [{ name: 'series', dataset: await kit.dataset(rows) }];
    const measures = { sum: { function: 'sum', column: 'n' } };
    const config = { profile: false, time_series: [{ column: 'at', bucket, measures }] };
    const done = await kit.run('analysis', config, { inputs: series });
    const [found] = JSON.parse(await kit.text(done.artifacts[0]?.key ?? '')).time_series;
    expect(found).toMatchObject({ column: 'at', bucket, cut: false });
    const points: { from: string; count: number; sum: number | string }[] = found.points;
    expect(points.map(({ from, count }) => [from.slice(0, bucket === 'hour' ? 19 : 10), count])).toEqual(expected);
    expect(points.reduce((sum, point) => sum + Number(point.sum), 0)).toBe(10);
  });

  test('a column that is not there, or no number, is named', async () => {
    await expect(analyse({ quantiles: { columns: ['g'] } })).rejects.toMatchObject({
      code: 'invalid_input',
      message: 'quantiles.columns: g is VARCHAR, not a number',
    });
    await expect(analyse({ groups: [{ by: ['nope'] }] })).rejects.toMatchObject({
      message: expect.stringMatching(/^groups\.0\.by: /),
    });
  });
});

describe('validation', () => {
  const validate = (config: JsonObject) => kit.run('validation', config, { inputs });
  const failing = async (rule: JsonObject): Promise<unknown> => {
    const { summary } = await validate({ rules: [{ severity: 'warning', ...rule }] });
    return (summary.results as JsonObject[])[0]?.failures;
  };

  test.each<[string, JsonObject, number]>([
    ['not_null', { type: 'not_null', columns: ['g', 'w'] }, 101],
    ['unique', { type: 'unique', column: 'id' }, 2],
    ['unique over two columns', { type: 'unique', columns: ['id', 'd'] }, 0],
    ['range', { type: 'range', column: 'v', min: 0, max: 9 }, 1],
    ['range without its bounds', { type: 'range', column: 'v', min: 0, inclusive: false }, 20],
    ['range of dates', { type: 'range', column: 'd', min: '2026-02-01' }, 67],
    ['pattern', { type: 'pattern', column: 'e', pattern: 'u\\d+@x[.]org' }, 50],
    ['a part of a pattern', { type: 'pattern', column: 'e', pattern: '@', partial: true }, 50],
    ['set', { type: 'set', column: 'g', values: ['g0', "it's"] }, 132],
    ['set of numbers', { type: 'set', column: 'v', values: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }, 1],
    ['row_count', { type: 'row_count', min: 201 }, 1],
    ['freshness', { type: 'freshness', column: 'd', max_age_seconds: 86_400, as_of: '2026-03-20' }, 0],
    ['staleness', { type: 'freshness', column: 'd', max_age_seconds: 86_399, as_of: '2026-03-20T00:00:01Z' }, 1],
    ['foreign_key', { type: 'foreign_key', column: 'g', references: { stage: 'known', column: 'key' } }, 0],
    ['a broken foreign_key', { type: 'foreign_key', column: 'e', references: { stage: 'known', column: 'key' } }, 200],
    ['sql expression', { type: 'sql', expression: 'w > 10' }, 140],
    ['sql query', { type: 'sql', query: 'SELECT * FROM rows WHERE g NOT IN (SELECT key FROM known) OR v > 9' }, 1],
  ])('%s', async (_, rule, expected) => {
    expect(await failing(rule)).toBe(expected);
  });

  test('failing rows are kept aside with every reason, the others go on', async () => {
    const rules = [
      { type: 'not_null', column: 'g', threshold: { count: 1 } },
      { type: 'range', column: 'v', max: 100, threshold: 0.01, name: 'not too much' },
      { type: 'pattern', column: 'e', pattern: '.+@.+', severity: 'warning' },
    ];
    const done = await validate({ rules });
    expect(done.dataset?.rows).toBe(198);
    expect(done.summary).toMatchObject({ rows_in: 200, rows: 198, rules: 3, passed: 2 });
    const rejects = await kit.lines(done.artifacts.find((artifact) => artifact.name === 'rejects.ndjson'));
    expect(rejects).toHaveLength(52);
    expect(rejects[0]).toMatchObject({ row: 1, reasons: ['pattern(e)'], values: { id: 0, g: 'g0' } });
    expect(rejects[2]).toMatchObject({ row: 6, reasons: ['not_null(g)'] });
    expect(rejects.find((reject) => reject.row === 8)?.reasons).toEqual(['not too much']);
    const report = JSON.parse(await kit.text(done.artifacts[0]?.key ?? ''));
    expect(report.rules[2]).toEqual({
      name: 'pattern(e)',
      type: 'pattern',
      severity: 'warning',
      failures: 50,
      passed: false,
    });
  });

  test('where nothing is taken out the data is not written again', async () => {
    expect((await validate({})).dataset).toEqual(inputs[0]?.dataset);
    const warned = await validate({ rules: [{ type: 'not_null', column: 'w', severity: 'warning' }] });
    expect(warned.dataset).toEqual(inputs[0]?.dataset);
    const kept = await validate({ rules: [{ type: 'not_null', column: 'w', threshold: 1 }], keep: 'all' });
    expect(kept.dataset).toEqual(inputs[0]?.dataset);
  });

  test('over the threshold it fails, and says where the rows are', async () => {
    const request = kit.request(
      'validation',
      {
        rules: [
          { type: 'set', column: 'g', values: ['g0'], threshold: 0.5 },
          { type: 'row_count', max: 10 },
        ],
      },
      { inputs },
    );
    const failed = await kit.runner
      .run(request, { signal: new AbortController().signal, progress: () => undefined })
      .catch((error) => error);
    expect(failed).toMatchObject({
      code: 'validation_failed',
      message: `set(g): 132 of 200 rows fail; row_count: there are 200 rows; the failing rows are kept as ${request.prefix}rejects.ndjson`,
      faults: [{ path: 'rules.0' }, { path: 'rules.1' }],
    });
    expect((await kit.text(`${request.prefix}rejects.ndjson`)).split('\n')).toHaveLength(133);
  });

  test('a rule that cannot be checked is named', async () => {
    await expect(validate({ rules: [{ type: 'pattern', column: 'g', pattern: '(' }] })).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringMatching(/^rules\.0\.pattern/),
    });
    await expect(validate({ rules: [{ type: 'unique', column: 'nope' }] })).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringMatching(/^rules\.0: /),
    });
    await expect(validate({ rules: [{ type: 'sql', expression: 'nope > 1' }] })).rejects.toMatchObject({
      code: 'sql_failed',
      message: expect.stringMatching(/^rules\.0/),
    });
    await expect(
      validate({ rules: [{ type: 'foreign_key', column: 'g', references: { stage: 'absent', column: 'x' } }] }),
    ).rejects.toMatchObject({ message: expect.stringContaining('rules.0.references.stage') });
  });
});
