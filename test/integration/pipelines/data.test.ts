/** Pipelines on real data, with the stage engine as it is: the seed's own, tables of items, batches for agents, artifacts. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of pipelines
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { SEED } from '../../services/pipelines/seed.ts';
import { caller, openStand, pipeline, type Stand } from './stand.ts';

const ana = caller('developer', { id: 'ana' });
const CSV = `order,city,amount\n${Array.from({ length: 25 }, (_, n) => `${n + 1},${n % 2 ? 'Oslo' : 'Bergen'},${n * 10}`).join('\n')}\n`;
let stand: Stand;

beforeAll(async () => {
  stand = await openStand();
  await stand.deps.objects.put('imports/orders.csv', Buffer.from(CSV));
}, 120_000);
afterAll(async () => {
  await stand?.close();
});

async function read(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

test('the pipeline of the seed runs from a CSV to its outputs', async () => {
  const runId = await stand.execute(ana, SEED, {
    input_data: { source: 'imports/orders.csv', format: 'csv' },
    parameters: { batch_size: 10, parallel_workers: 2 },
  });
  const run = await stand.over(runId);
  expect(run.error).toBeNull();
  expect(run).toMatchObject({
    status: 'completed',
    progress: 1,
    completed_stages: [0, 1, 2, 3, 4, 5],
    current_stage: 5,
  });
  for (const stage of run.stages) expect(stage).toMatchObject({ status: 'completed', attempt: 1, progress: 1 });
  expect(run.stages[0].dataset).toMatchObject({ rows: 25, columns: 3 });
  const { artifacts } = await stand.call(ana, 'runs.artifacts', { run_id: runId });
  expect(artifacts.length).toBeGreaterThan(0);
  for (const { name, bytes } of artifacts) {
    const got = await stand.call(ana, 'runs.artifact', { run_id: runId, name });
    const content = await read(got.body);
    expect([name, content.length]).toEqual([name, bytes]);
  }
  await expect(stand.call(ana, 'runs.artifact', { run_id: runId, name: 'no/such' })).rejects.toMatchObject({
    code: 'not_found',
  });
});

test('columns come in the order in which they were written', async () => {
  const run = await stand.over(
    await stand.execute(
      ana,
      pipeline([
        { name: 'load', type: 'data-ingestion', config: { rows: [{ zulu: 1, yankee: 2, b: 4 }] } },
        { name: 'more', type: 'transformation', config: { derive: { total: 'zulu + b', month: 'yankee', a: '1' } } },
        { name: 'out', type: 'output', config: { format: 'csv' } },
      ]),
    ),
  );
  expect(run.error).toBeNull();
  const csv = await stand.call(ana, 'runs.artifact', { run_id: run.run_id, name: 'out/output.csv' });
  expect((await read(csv.body)).toString()).toBe('zulu,yankee,b,total,month,a\n1,2,4,5,2,1\n');
});

test('items make one table, and what follows reads it', async () => {
  const run = await stand.over(
    await stand.execute(
      ana,
      pipeline([
        {
          name: 'load',
          type: 'data-ingestion',
          for_each: { items: [1, 2, 3] },
          config: { rows: [{ part: '${item}', doubled: '${item * 2}' }] },
        },
        { name: 'sum-up', type: 'transformation', config: { sql: 'SELECT sum(doubled) AS total FROM input' } },
        {
          name: 'check',
          type: 'transformation',
          when: 'stages.load.output.rows == 3 && stages.sum-up.output.rows == 1',
          config: { sql: 'SELECT total FROM input WHERE total = 12' },
        },
      ]),
    ),
  );
  expect(run.error).toBeNull();
  expect(run.stages.map(({ dataset }: any) => dataset.rows)).toEqual([3, 1, 1]);
});

test('a stage that is skipped passes on what reached it', async () => {
  const run = await stand.over(
    await stand.execute(
      ana,
      pipeline([
        { name: 'load', type: 'data-ingestion', config: { rows: [{ n: 1 }, { n: 2 }] } },
        { name: 'maybe', type: 'transformation', when: 'false', config: { sql: 'SELECT 1 AS n' } },
        { name: 'last', type: 'transformation', config: { sql: 'SELECT n FROM input WHERE n > ${parameters.over}' } },
      ]),
      { parameters: { over: 1 } },
    ),
  );
  expect(run.error).toBeNull();
  expect(run.stages[2].dataset.rows).toBe(1);
});

test('SQL that fails fails its stage with the engine’s words', async () => {
  const run = await stand.over(
    await stand.execute(
      ana,
      pipeline([
        { name: 'load', type: 'data-ingestion', config: { rows: [{ n: 1 }] } },
        { name: 'bad', type: 'transformation', config: { sql: 'SELECT missing FROM input' } },
      ]),
    ),
  );
  expect(run.error).toMatchObject({ code: 'sql_failed', detail: expect.stringMatching(/^Stage bad: .*missing/) });
});

test('templates that make a configuration nobody can take fail before anything runs', async () => {
  const run = await stand.over(
    await stand.execute(ana, pipeline([{ name: 'p', type: 'processing', config: { batch_size: '${parameters.n}' } }]), {
      parameters: { n: 'many' },
    }),
  );
  expect(run.error).toMatchObject({ code: 'invalid_pipeline', detail: expect.stringContaining('config.batch_size') });
});

test('the sample pipeline runs over the sample data', async () => {
  const file = new URL('../../../samples/pipelines/six-stages.yaml', import.meta.url);
  const definition = parse(readFileSync(file, 'utf8'));
  const sample = readFileSync(new URL('../../../samples/data/looker/sensor-fleet.csv', import.meta.url));
  await stand.deps.objects.put('imports/sensor-fleet.csv', sample);
  const runId = await stand.execute(ana, definition, { input_data: { source: 'imports/sensor-fleet.csv' } });
  const run = await stand.over(runId);
  expect(run.error).toBeNull();
  expect(run.stages).toHaveLength(6);
  for (const { status } of run.stages) expect(status).toBe('completed');
  const { artifacts } = await stand.call(ana, 'runs.artifacts', { run_id: runId });
  expect(artifacts.map(({ name }: any) => name)).toContain('publish/fleet.csv');
  const csv = await stand.call(ana, 'runs.artifact', { run_id: runId, name: 'publish/fleet.csv' });
  expect(String(await read(csv.body))).toMatch(/advice[\s\S]*replace/);
});

test('the other sample asks before it publishes', async () => {
  const file = new URL('../../../samples/pipelines/with-approval.yaml', import.meta.url);
  const runId = await stand.execute(ana, parse(readFileSync(file, 'utf8')), {
    parameters: { regions: ['north', 'east', 'south'] },
  });
  const { approvals } = await stand.until(runId, (run) => run.approvals.length > 0);
  expect(approvals[0]).toMatchObject({ message: 'Publish the regions?' });
  await stand.call(ana, 'approvals.decide', { approval_id: approvals[0].approval_id, decision: 'approve' });
  const run = await stand.over(runId);
  expect(run.error).toBeNull();
  const csv = await stand.call(ana, 'runs.artifact', { run_id: runId, name: 'publish/regions.csv' });
  expect(String(await read(csv.body))).toBe('region\neast\nnorth\nsouth\n');
  expect(run.stages[5]).toMatchObject({ name: 'take-back', status: 'skipped' });
});

test('a key that nobody opened is read by an operator and, to others, is not there', async () => {
  await stand.deps.objects.put('private/orders.csv', Buffer.from(CSV));
  const definition = pipeline([{ name: 'read', type: 'data-ingestion', config: { source: 'private/orders.csv' } }]);
  const refused = await stand.over(await stand.execute(ana, definition, {}));
  expect(refused).toMatchObject({ status: 'failed', error: { code: 'not_found' } });
  const read = await stand.over(await stand.execute(caller('operator', { id: 'otto' }), definition, {}));
  expect(read).toMatchObject({ status: 'completed', stages: [{ dataset: { rows: 25 } }] });
});
