/** What every process tells of itself. */
import { expect, test } from 'vitest';
import { createMetrics } from '../src/metrics.ts';

test('processor, memory and the lag of the loop are told, and all that is ours has help and a name of ours', async () => {
  const { registry } = createMetrics();
  const page = await registry.metrics();
  const sampleOf = (name: string) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(page)?.[1]);
  expect(sampleOf('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(sampleOf('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
  expect(page).toContain('nodejs_eventloop_lag_seconds');

  const ours = registry.getMetricsAsArray().filter(({ name }) => !/^(process|nodejs)_/.test(name));
  expect(ours.length).toBeGreaterThan(10);
  for (const { name, help } of ours) {
    expect(name).toMatch(/^ostinato_[a-z_]+$/);
    expect(help).toMatch(/\w{3,}/);
  }
});
