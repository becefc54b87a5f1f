/** Metrics of several processes on one page, and how the API finds a worker's. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Counter, Histogram, Registry } from 'prom-client';
import { afterAll, describe, expect, it } from 'vitest';
import { mergeMetrics } from '../../src/services/merge-metrics.ts';
import { readWorkerMetrics, serveWorkerMetrics } from '../../src/services/worker-metrics.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'ostinato-metrics-'));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

function registry(process: string): Registry {
  const made = new Registry();
  made.setDefaultLabels({ process });
  new Counter({ name: 'jobs_total', help: 'Jobs', registers: [made] }).inc(2);
  new Histogram({ name: 'seconds', help: 'Time', buckets: [1], registers: [made] }).observe(0.5);
  return made;
}

describe('mergeMetrics', () => {
  it('tells each family once and keeps every sample under it', async () => {
    const page = mergeMetrics([await registry('api').metrics(), await registry('worker').metrics(), 'lonely 1\n']);
    expect(page.match(/# TYPE jobs_total/g)).toHaveLength(1);
    expect(page.match(/# TYPE seconds/g)).toHaveLength(1);
    expect(page.indexOf('jobs_total{process="worker"} 2')).toBeLessThan(page.indexOf('# HELP seconds'));
    expect(page.match(/^seconds_bucket/gm)).toHaveLength(4);
    expect(page).toContain('lonely 1\n');
  });

  it('leaves out families without a sample', () => {
    expect(mergeMetrics(['# HELP a nothing\n# TYPE a counter\n'])).toBe('\n');
  });
});

describe('worker metrics', () => {
  it('are found beside the API while the worker lives, and notes of the dead are removed', async () => {
    const config = { dataDir, WORKER_METRICS_PORT: 0 };
    expect(await readWorkerMetrics(config)).toEqual([]);
    const served = await serveWorkerMetrics({ config, registry: registry('worker') });
    // No process has this id: it is above the largest that Linux gives.
    writeFileSync(join(dataDir, 'metrics', '4194305'), '1');
    const [page, ...others] = await readWorkerMetrics(config);
    expect(page).toContain('jobs_total{process="worker"} 2');
    expect(others).toEqual([]);
    expect(readdirSync(join(dataDir, 'metrics'))).toEqual([String(process.pid)]);
    await served.close();
    expect(await readWorkerMetrics(config)).toEqual([]);
  });
});
