/** The six stages, repeated and killed in between, on few threads and on many: the outputs are the same to the last byte. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { benchStages, writeOrders } from '../../../bench/pipeline/stages.ts';
import type { JsonObject } from '../../../src/schema/json.ts';
import type { TaskType } from '../../../src/schema/names.ts';
import type { StageOutput, StageRequest } from '../../../src/schema/stages/contract.ts';
import { type StageKit, stageKit } from '../../activities/stages/kit.ts';

const ROWS = 250_000;
/** Beside the benchmark's stages, those where threads could decide: floating sums, joins, groups, ties, texts. */
const MORE: { type: TaskType; config: JsonObject }[] = [
  {
    type: 'transformation',
    config: {
      steps: [
        { derive: { f: 'sin(order_id)' } },
        {
          aggregate: {
            group_by: ['product'],
            measures: {
              s: { function: 'sum', column: 'f' },
              a: { function: 'avg', column: 'f' },
              d: { function: 'stddev', column: 'f' },
              first: { function: 'first', column: 'buyer' },
            },
          },
        },
      ],
    },
  },
  { type: 'transformation', config: { steps: [{ sort: ['region'] }, { limit: 70_000 }] } },
  { type: 'transformation', config: { deduplicate: { keys: ['buyer'], order: ['region'] } } },
  {
    type: 'transformation',
    config: { join: { with: 'stage', on: { order_id: 'order_id' }, type: 'full', select: ['price'] } },
  },
  {
    type: 'transformation',
    config: {
      sql: 'SELECT region, list(product) AS l, sum(sin(order_id)) AS s, string_agg(buyer) AS t FROM input GROUP BY region',
    },
  },
  { type: 'analysis', config: { quantiles: true, correlations: true, outliers: true } },
  { type: 'validation', config: { rules: [{ type: 'unique', column: 'buyer', threshold: 1 }] } },
  {
    type: 'processing',
    config: {
      sql: 'SELECT region, sum(sin(order_id)) AS s FROM batch GROUP BY region',
      batch_size: 5_000,
      parallel_workers: 2,
    },
  },
  { type: 'output', config: { report: true, format: 'ndjson' } },
];

let kits: StageKit[];
beforeAll(async () => {
  kits = [await stageKit({ STAGE_THREADS: '2' }), await stageKit({ STAGE_THREADS: '4' })];
  for (const kit of kits) {
    const file = join(kit.folder, 'orders.csv');
    await writeOrders(file, ROWS);
    await kit.deps.objects.putFile('imports/orders.csv', file);
  }
});
afterAll(async () => {
  for (const kit of kits) await kit.close();
});

type Run = (request: StageRequest) => Promise<StageOutput>;

/** Every output in order, by key and hash. */
async function everything(kit: StageKit, run: Run, more = MORE): Promise<string[]> {
  const seen: string[] = [];
  let inputs: StageRequest['inputs'] = [];
  let transformed: StageRequest['inputs'] = [];
  const note = (done: StageOutput) => {
    if (done.dataset) seen.push(`${done.dataset.key} ${done.dataset.sha256}`);
    for (const artifact of done.artifacts) seen.push(`${artifact.key} ${artifact.sha256}`);
    seen.push(JSON.stringify(done.summary));
  };
  for (const [at, stage] of benchStages('imports/orders.csv').entries()) {
    const done = await run(kit.request(stage.type, stage.config, { inputs, prefix: `runs/w/${at}/` }));
    note(done);
    if (done.dataset) inputs = [{ name: 'stage', dataset: done.dataset }];
    if (stage.name === 'transform') transformed = inputs;
  }
  for (const [at, stage] of more.entries())
    note(await run(kit.request(stage.type, stage.config, { inputs: transformed, prefix: `runs/w/more-${at}/` })));
  return seen;
}

test('threads and repeats change nothing', { timeout: 240_000 }, async () => {
  const results: string[][] = [];
  for (const kit of kits) {
    const run: Run = (request) =>
      kit.runner.run(request, { signal: new AbortController().signal, progress: () => undefined });
    results.push(await everything(kit, run));
  }
  const [two, four] = results;
  expect(four).toEqual(two);
});

test('a worker killed in the middle leaves nothing that changes the repeat', { timeout: 240_000 }, async () => {
  const [kit] = kits as [StageKit];
  const run: Run = (request) =>
    kit.runner.run(request, { signal: new AbortController().signal, progress: () => undefined });
  const some = MORE.slice(0, 2);
  const expected = await everything(kit, run, some);
  await kit.deps.objects.deletePrefix('runs/');
  let kills = 0;
  const killing: Run = async (request) => {
    // Short enough to strike stages in the middle, a little longer each time so that all come to their end.
    for (let delay = 200; ; delay *= 2.5) {
      const child = fork(
        new URL('./run-stage.ts', import.meta.url),
        [kit.deps.config.dataDir, JSON.stringify(request)],
        { execArgv: [] },
      );
      const timer = setTimeout(() => child.kill('SIGKILL'), delay);
      let answer: StageOutput | null = null;
      child.on('message', (message) => {
        answer = message as StageOutput;
      });
      await once(child, 'exit');
      clearTimeout(timer);
      if (answer) return answer;
      kills += 1;
    }
  };
  expect(await everything(kit, killing, some)).toEqual(expected);
  expect(kills).toBeGreaterThan(3);
});
