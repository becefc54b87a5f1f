/** What Prometheus hears of work: how long tasks and stages took, how runs ended, and what failed by code. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { caller, op, openStand, pipeline, type Stand } from './stand.ts';

const ana = caller('developer', { id: 'ana' });
let stand: Stand;

beforeAll(async () => {
  stand = await openStand();
}, 120_000);
afterAll(async () => {
  await stand?.close();
});

/** The sample of this name and these labels; 0 when there is none. */
async function sample(name: string, labels: Record<string, string>): Promise<number> {
  const page = await stand.deps.metrics.registry.getMetricsAsJSON();
  const values = page.flatMap(({ values }) => values as { metricName?: string; labels: object; value: number }[]);
  const named = page.flatMap((metric) => (metric.name === name ? metric.values : []));
  const all = [...named, ...values.filter(({ metricName }) => metricName === name)];
  const fits = all.filter((one) =>
    Object.entries(labels).every(([key, value]) => Reflect.get(one.labels, key) === value),
  );
  return fits.reduce((sum, { value }) => sum + value, 0);
}

test('runs, stages and tasks are counted and timed by type and outcome', async () => {
  const rows = { name: 'rows', type: 'data-ingestion', config: { rows: [{ a: 1 }, { a: 2 }] } };
  const shared = { name: 'half', type: 'transformation', config: { derive: { half: 'a / 2.0' } } };
  const faulty = { name: 'faulty', type: 'transformation', config: { sql: 'SELECT nowhere FROM input' } };
  await stand.over(await stand.execute(ana, pipeline([rows, shared, op('who')])));
  const failed = await stand.over(await stand.execute(ana, pipeline([rows, faulty])));
  expect(failed.status).toBe('failed');
  const { task_id } = await stand.call(ana, 'tasks.submit', {
    type: 'transformation',
    payload: { rows: [] },
    retry_count: 0,
  });
  await expect
    .poll(async () => (await stand.call(ana, 'tasks.get', { task_id })).status, { timeout: 30_000 })
    .toMatch(/completed|failed/);
  const { status } = await stand.call(ana, 'tasks.get', { task_id });

  expect(await sample('ostinato_pipeline_runs_total', { outcome: 'completed' })).toBe(1);
  expect(await sample('ostinato_pipeline_runs_total', { outcome: 'failed' })).toBe(1);
  const stage = (type: string, outcome: string) => sample('ostinato_stage_seconds_count', { type, outcome });
  expect(await stage('data-ingestion', 'completed')).toBe(2);
  expect(await stage('transformation', 'completed')).toBe(1);
  expect(await stage('transformation', 'failed')).toBe(1);
  expect(await stage('operation', 'completed')).toBe(1);
  await expect.poll(() => sample('ostinato_task_seconds_count', { type: 'transformation', outcome: status })).toBe(1);
  expect(await sample('ostinato_failures_total', { room: 'pipelines', code: 'sql_failed' })).toBeGreaterThan(0);
}, 90_000);
