/** The six stages of the panel's own example: only names, types and timeouts, the rest from the execution. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TASK_TYPES } from '../../../src/schema/names.ts';
import type { StageOutput, StageRequest } from '../../../src/schema/stages/contract.ts';
import { type StageKit, stageKit } from './kit.ts';

let kit: StageKit;
beforeAll(async () => {
  kit = await stageKit();
});
afterAll(() => kit.close());

test('six stages without a configuration bring the data from the input to a file, and profile it on the way', async () => {
  const rows = Array.from({ length: 2_500 }, (_, id) => ({ id, name: `n${id % 7}`, nested: { a: [id] } }));
  await kit.put('input-data', JSON.stringify(rows));
  const execution = {
    input_data: { source: `s3://${kit.deps.objects.bucket}/input-data`, format: 'json' },
    parameters: { batch_size: 1000, parallel_workers: 4 },
  };
  let inputs: StageRequest['inputs'] = [];
  const outputs: StageOutput[] = [];
  for (const type of TASK_TYPES) {
    const done = await kit.run(type, {}, { ...execution, inputs });
    outputs.push(done);
    if (done.dataset) inputs = [{ name: type, dataset: done.dataset }];
  }
  expect(outputs.map((output) => output.summary)).toMatchObject([
    { rows: 2500, format: 'json' },
    { rows: 2500, steps: 0 },
    { rows: 2500, profile: { id: { distinct: 2500 }, name: { distinct: 7 } } },
    { rows: 2500, rules: 0 },
    { batches: 3, batch_size: 1000 },
    { rows: 2500, artifacts: ['output.json'] },
  ]);
  // Nothing changed the data, so it was written once.
  expect(new Set(outputs.map((output) => output.dataset?.key)).size).toBe(1);
  expect(JSON.parse(await kit.text(outputs[5]?.artifacts[0]?.key ?? ''))).toEqual(rows);
});

test('progress only grows and ends at most at one', async () => {
  const told: number[] = [];
  await kit.put('p.csv', `id\n${Array.from({ length: 1_000 }, (_, id) => id).join('\n')}\n`);
  const request = kit.request('data-ingestion', { source: 'p.csv' });
  await kit.runner.run(request, { signal: new AbortController().signal, progress: (share) => told.push(share) });
  expect(told.length).toBeGreaterThan(1);
  expect(told).toEqual([...told].sort((a, b) => a - b));
  expect(Math.max(...told)).toBeLessThanOrEqual(1);
});
