/** The whole system under kill -9: a run goes on where it was, what is finished is not done again, and it ends once. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of pipelines
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeDataDir, type System, startSystem } from '../../support/system.ts';
import { pipeline } from './stand.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ EMBEDDINGS: 'off' });
}, 200_000);
afterAll(async () => {
  await system?.stop();
  if (system) removeDataDir(system);
});

async function ask(method: string, path: string, body?: object): Promise<any> {
  for (const end = Date.now() + 60_000; ; ) {
    try {
      const answer = await system.call(method, path, body as Record<string, unknown>);
      if (answer.status < 300) return answer.body;
      if (answer.status < 500 || Date.now() > end) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    } catch (error) {
      // The API itself is left alive; what it stands on comes back.
      if (Date.now() > end || !(error instanceof TypeError)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

test('worker and engine are killed in the middle', async () => {
  const definition = pipeline([
    { name: 'load', type: 'data-ingestion', config: { rows: Array.from({ length: 100 }, (_, n) => ({ n })) } },
    {
      name: 'each',
      type: 'transformation',
      for_each: { items: Array.from({ length: 12 }, (_, n) => n), concurrency: 2 },
      // Long enough to be met by a kill.
      config: {
        sql: 'SELECT ${item} AS item, sum(a.n * b.n * c.n * d.n % 7) AS total FROM input a, input b, input c, input d',
      },
    },
    {
      name: 'all',
      type: 'transformation',
      config: { sql: 'SELECT count(DISTINCT item) AS items FROM input HAVING items = 12' },
    },
  ]);
  const { pipeline_id } = await ask('POST', '/api/v1/pipelines', definition);
  const { run_id } = await ask('POST', `/api/v1/pipelines/${pipeline_id}/execute`, {});
  const look = () => ask('GET', `/api/v1/pipeline-runs/${run_id}`);
  const until = async (holds: (run: any) => boolean) => {
    for (const end = Date.now() + 150_000; Date.now() < end; ) {
      const run = await look();
      if (holds(run)) return run;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`it never came: ${JSON.stringify(await look())}`);
  };
  const completed = (run: any) => run.stages[1].items?.by_status.completed ?? 0;
  await until((run) => completed(run) >= 1);
  system.kill('worker');
  await until((run) => completed(run) >= 4);
  system.kill('temporal');
  const run = await until(({ completed_at }) => completed_at !== null);
  expect(run).toMatchObject({ status: 'completed', attempt: 1, error: null, progress: 1 });
  expect(run.stages.map(({ attempt }: any) => attempt)).toEqual([1, expect.any(Number), 1]);
  expect(run.stages[1]).toMatchObject({ items: { total: 12, by_status: { completed: 12 } }, dataset: { rows: 12 } });
  expect(run.stages[2].dataset.rows).toBe(1);
}, 200_000);
