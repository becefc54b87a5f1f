/** `processing`, batches for agents, and `output` of files and reports. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mergeBatches, splitBatches } from '../../../src/activities/stages/batches.ts';
import type { JsonObject } from '../../../src/schema/json.ts';
import type { StageRequest } from '../../../src/schema/stages/contract.ts';
import { type StageKit, stageKit } from './kit.ts';

let kit: StageKit;
let inputs: StageRequest['inputs'];
beforeAll(async () => {
  kit = await stageKit({ STAGE_THREADS: '2' });
  const rows = Array.from({ length: 2500 }, (_, i) => ({
    id: i,
    g: `<g${i % 3}>`,
    v: Math.sin(i),
    d: `2026-0${1 + (i % 3)}-1${i % 10}`,
    t: i % 7 ? `text number ${i}` : null,
  }));
  inputs = [{ name: 'rows', dataset: await kit.dataset(rows) }];
});
afterAll(() => kit.close());

describe('processing', () => {
  const SEED = { batch_size: 1000, parallel_workers: 4 };
  const process = (config: JsonObject, parameters: JsonObject = SEED) =>
    kit.run('processing', config, { inputs, parameters });

  test('without work the rows go on; batches are as the parameters say', async () => {
    const done = await process({});
    expect(done.dataset).toEqual(inputs[0]?.dataset);
    expect(done.summary).toEqual({ rows_in: 2500, rows: 2500, batches: 3, batch_size: 1000 });
    await expect(process({}, { batch_size: 'many' })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('SQL sees one batch at a time, and the results are in order', async () => {
    const sql = 'SELECT min(id) AS low, count(*) AS n, sum(v) AS s FROM batch';
    const four = await process({ sql });
    expect(await kit.rows(four.dataset)).toMatchObject([
      { low: '0', n: '1000' },
      { low: '1000', n: '1000' },
      { low: '2000', n: '500' },
    ]);
    // STAGE_THREADS is two: that it was cut is told.
    expect(four.summary).toMatchObject({ batches: 3, parallel_workers: 2, parallel_workers_asked: 4 });
    const two = await process({ sql, parallel_workers: 2 });
    expect(two.summary).toMatchObject({ parallel_workers: 2 });
    expect(two.summary).not.toHaveProperty('parallel_workers_asked');
    const one = await process({ sql, parallel_workers: 1 }, { batch_size: 1000 });
    expect(await kit.rows(one.dataset)).toEqual(await kit.rows(four.dataset));
  });

  test('row by row SQL gives the same in one go', async () => {
    const done = await process({ sql: 'SELECT id, upper(g) AS g FROM batch WHERE id % 2 = 0' });
    const rows = await kit.rows(done.dataset);
    expect(rows).toHaveLength(1250);
    expect(rows.slice(0, 2)).toEqual([
      { id: '0', g: '<G0>' },
      { id: '2', g: '<G2>' },
    ]);
    const limited = await process({ sql: 'SELECT id FROM batch ORDER BY id DESC LIMIT 1' });
    expect(await kit.rows(limited.dataset)).toEqual([{ id: '999' }, { id: '1999' }, { id: '2499' }]);
  });

  test('a failing batch is named', async () => {
    const sql = "SELECT CASE WHEN max(id) > 1500 THEN error('too large') ELSE 1 END AS x FROM batch";
    await expect(process({ sql })).rejects.toMatchObject({
      code: 'sql_failed',
      message: expect.stringMatching(/^sql, batch 2 of 3: .*too large/),
    });
  });

  test('embedding puts the vector of a text beside it', async () => {
    const done = await process({ embed: { column: 't', into: 'vector' } });
    expect(done.summary).toMatchObject({ vectors: 2142, dimensions: 16 });
    expect(done.dataset?.columns.at(-1)).toEqual({ name: 'vector', type: 'FLOAT[16]' });
    const rows = await kit.rows(done.dataset);
    expect(rows.map((row) => Number(row.id))).toEqual(Array.from({ length: 2500 }, (_, i) => i));
    const [expected] = (await kit.deps.embedder?.embed(['text number 8'])) ?? [];
    expect(rows[7]?.vector).toBeNull();
    expect(rows[8]?.vector).toEqual([...(expected ?? [])]);
    await expect(process({ embed: { column: 'nope' } })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test.each(['ndjson', 'parquet'])('batches for agents go out as %s and come back as one', async (format) => {
    const request = kit.request('processing', { agent: { format }, batch_size: 1000 }, { inputs });
    const batches = await splitBatches(kit.deps, kit.runner, request);
    expect(batches).toEqual(
      [0, 1, 2].map((at) => ({ key: `${request.prefix}batches/0000${at}.${format}`, rows: at === 2 ? 500 : 1000 })),
    );
    const hashes = await Promise.all(batches.map(({ key }) => kit.sha256(key)));
    await splitBatches(kit.deps, kit.runner, request);
    expect(await Promise.all(batches.map(({ key }) => kit.sha256(key)))).toEqual(hashes);
    const merged = await mergeBatches(kit.deps, kit.runner, request, batches);
    expect(await kit.rows(merged.dataset)).toEqual(await kit.rows(inputs[0]?.dataset ?? null));
  });

  test('what an agent answered must be rows', async () => {
    const request = kit.request('processing', { agent: {} }, { inputs });
    await kit.put('answers/1.ndjson', '{"id":1,"n":1}\n');
    await kit.put('answers/2.ndjson', '{"id":2,"more":"x"}\n');
    await kit.put('answers/3.ndjson', '{"id":\n');
    const merged = await mergeBatches(kit.deps, kit.runner, request, [
      { key: 'answers/1.ndjson' },
      { key: 'answers/2.ndjson' },
    ]);
    expect(await kit.rows(merged.dataset)).toEqual([
      { id: '1', n: '1', more: null },
      { id: '2', n: null, more: 'x' },
    ]);
    await expect(
      mergeBatches(kit.deps, kit.runner, request, [{ key: 'answers/1.ndjson' }, { key: 'answers/3.ndjson' }]),
    ).rejects.toMatchObject({ code: 'malformed', message: expect.stringMatching(/^batch 2: .*answers\/3\.ndjson/) });
    await expect(mergeBatches(kit.deps, kit.runner, request, [{ key: 'answers/9.ndjson' }])).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

describe('output', () => {
  const output = (config: JsonObject, parameters: JsonObject = {}) => kit.run('output', config, { inputs, parameters });

  test('without a configuration writes one JSON file', async () => {
    const done = await output({});
    expect(done.artifacts).toMatchObject([{ name: 'output.json', media_type: 'application/json', rows: 2500 }]);
    const rows = JSON.parse(await kit.text(done.artifacts[0]?.key ?? ''));
    expect(rows[1]).toEqual({ id: 1, g: '<g1>', v: Math.sin(1), d: '2026-02-11', t: 'text number 1' });
  });

  test('files of every format, with columns and an order, and under a name of their own', async () => {
    const done = await output({
      files: [
        {
          format: 'csv',
          columns: ['g', 'id'],
          sort: [{ column: 'g' }, { column: 'id', descending: true }],
          delimiter: ';',
          key: 'daily/x.csv',
        },
        { format: 'ndjson' },
        { format: 'parquet', name: 'all.parquet' },
      ],
    });
    expect(done.artifacts.map((artifact) => [artifact.name, artifact.rows])).toEqual([
      ['output.csv', 2500],
      ['output-2.ndjson', 2500],
      ['all.parquet', 2500],
    ]);
    expect(await kit.text('outputs/alice/daily/x.csv')).toMatch(/^g;id\n<g0>;2499\n<g0>;2496\n/);
    expect(await kit.lines(done.artifacts[1])).toHaveLength(2500);
    expect(await kit.rows(done.artifacts[2] ?? null)).toEqual(await kit.rows(inputs[0]?.dataset ?? null));
    await expect(output({ files: [{ format: 'csv', columns: ['nope'] }] })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    await expect(output({ format: 'csv', key: '../../uploads/x' })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('charts draw what the data says: bars, the line of a mean over time, and each point', async () => {
    const rows = [
      { g: 'a', d: '2026-01-01', x: 0, y: 10 },
      { g: 'a', d: '2026-01-02', x: 5, y: 20 },
      { g: 'b', d: '2026-01-02', x: 10, y: 40 },
      { g: 'b', d: '2026-01-03', x: 2, y: 0 },
    ];
    const few = [{ name: 'few', dataset: await kit.dataset(rows) }];
    const charts = [
      { type: 'bar', x: 'g', y: { function: 'sum', column: 'y' } },
      { type: 'line', x: 'd', y: { function: 'avg', column: 'y' } },
      { type: 'scatter', x: 'x', y: 'y' },
    ];
    const done = await kit.run('output', { report: { title: 'few', charts } }, { inputs: few });
    const html = await kit.text(done.artifacts[0]?.key ?? '');
    const [bars = '', line = '', scatter = ''] = html.match(/<svg.*?<\/svg>/gs) ?? [];
    const attributes = (svg: string, shape: string, names: string[]): number[][] =>
      [...svg.matchAll(new RegExp(`<${shape} class="(?:bar|dot)"[^>]*>`, 'g'))].map(([tag]) =>
        names.map((one) => Number(new RegExp(` ${one}="([^"]*)"`).exec(tag)?.[1])),
      );
    const titles = (svg: string) => [...svg.matchAll(/<title>([^<]*)<\/title>/g)].map(([, text]) => text);
    // The picture is 720 by 300, of which 634 by 224 from (70, 16) are drawn on.
    expect(titles(bars)).toEqual(['b: 40', 'a: 30']);
    expect(attributes(bars, 'rect', ['y', 'height'])).toEqual([
      [16, 224],
      [72, 168],
    ]);
    // On the second day the mean of 20 and 40.
    expect(titles(line)).toEqual([
      expect.stringMatching(/^2026-01-01.*: 10$/),
      expect.stringMatching(/^2026-01-02.*: 30$/),
      expect.stringMatching(/^2026-01-03.*: 0$/),
    ]);
    const points = [
      [70, 165.33],
      [387, 16],
      [704, 240],
    ];
    expect(attributes(line, 'circle', ['cx', 'cy'])).toEqual(points);
    expect(/<path class="line" d="([^"]*)"/.exec(line)?.[1]).toBe('M70 165.33L387 16L704 240');
    expect(attributes(scatter, 'circle', ['cx', 'cy']).toSorted(([a = 0], [b = 0]) => a - b)).toEqual([
      [70, 184],
      [196.8, 240],
      [387, 128],
      [704, 16],
    ]);
  });

  test('a report stands alone, draws, and escapes what the data says', async () => {
    const charts = [
      { type: 'bar', x: 'g', y: 'v' },
      { type: 'line', x: 'd', y: { function: 'avg', column: 'id' } },
      { type: 'histogram', x: 'v', limit: 10 },
      { type: 'scatter', x: 'id', y: 'v', limit: 100 },
    ];
    const done = await output({ report: { title: 'A <script>alert(1)</script> & more', charts, rows: 3 } });
    const html = await kit.text(done.artifacts[0]?.key ?? '');
    expect(done.artifacts).toMatchObject([{ name: 'report.html', media_type: 'text/html' }]);
    expect(html).not.toMatch(/<script|javascript:|https?:|<g\d>| on\w+=/);
    expect(html).toContain('A &lt;script&gt;alert(1)&lt;/script&gt; &amp; more');
    expect(html).toContain("default-src 'none'");
    expect(html.match(/<svg/g)).toHaveLength(4);
    expect(html.match(/<tr>/g)).toHaveLength(4);
    // Ten bins hold every row.
    const [, histogram = ''] = html.split('Distribution of v');
    const counts = [...(histogram.split('</svg>')[0] ?? '').matchAll(/<title>[^<]*: (\d+)<\/title>/g)].map((match) =>
      Number(match[1]),
    );
    expect(counts).toHaveLength(10);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2500);
    expect((await output({ report: true })).artifacts).toHaveLength(1);
  });
});

test('what is wrong with a table of many columns is said in a few words', async () => {
  const wide = Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`${'w'.repeat(150)}${at}`, at]));
  const dataset = await kit.dataset([wide]);
  const failed = kit.run(
    'output',
    { files: [{ format: 'csv', columns: ['x'] }] },
    { inputs: [{ name: 'w', dataset }] },
  );
  const { code, message } = await failed.then(
    () => ({ code: null, message: '' }),
    (failure: { code: string; message: string }) => failure,
  );
  expect(code).toBe('invalid_input');
  expect(message).toMatch(/there is no column x; there are /);
  expect(message.length).toBeLessThanOrEqual(4_000);
});
