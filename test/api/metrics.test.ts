/** Metrics of several processes on one page, and how the API finds a worker's. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { hostname, tmpdir } from 'node:os';
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
  const config = {
    dataDir,
    WORKER_METRICS_HOST: '127.0.0.1',
    WORKER_METRICS_PORT: 0,
    METRICS_TOKEN: 'a-token-for-the-metrics',
  };
  const folder = join(dataDir, 'metrics');
  const mine = `${hostname().replaceAll(/[^\w.-]/g, '_')}@`;
  // No process has this id: it is above the largest that Linux gives.
  const nobody = 4_194_305;

  it('are found beside the API while the worker lives, and notes of the dead are removed', async () => {
    expect(await readWorkerMetrics(config)).toEqual([]);
    const served = await serveWorkerMetrics({ config, registry: registry('worker') });
    writeFileSync(join(folder, `${mine}${nobody}`), '{}');
    const [page, ...others] = await readWorkerMetrics(config);
    expect(page).toContain('jobs_total{process="worker"} 2');
    expect(others).toEqual([]);
    expect(readdirSync(folder)).toEqual([`${mine}${process.pid}`]);
    await served.close();
    expect(await readWorkerMetrics(config)).toEqual([]);
  });

  it('of another machine on the same folder are left to it: not asked here, not removed', async () => {
    const served = await serveWorkerMetrics({ config, registry: registry('worker') });
    // In their containers both may be process 1, or one that is not here.
    const theirs = [`a-${mine}${process.pid}`, `elsewhere@${process.pid}`, `elsewhere@${nobody}`];
    for (const name of theirs) {
      writeFileSync(join(folder, name), JSON.stringify({ host: '127.0.0.1', port: served.port }));
    }
    expect(await readWorkerMetrics(config)).toHaveLength(1);
    expect(readdirSync(folder).sort()).toEqual([...theirs, `${mine}${process.pid}`].sort());
    await served.close();
    expect(await readWorkerMetrics(config)).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual(theirs.sort());
  });

  it('are open on loopback, and elsewhere to whoever has METRICS_TOKEN', async () => {
    const served = await serveWorkerMetrics({ config, registry: registry('worker') });
    const bare = await serveWorkerMetrics({
      config: { ...config, METRICS_TOKEN: undefined },
      registry: registry('worker'),
    });
    const ask = (port: number, headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        const asked = get({ host: '127.0.0.1', port, path: '/metrics', headers }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        asked.on('error', reject);
      });
    const named = { host: `worker:${served.port}` };
    const bearer = (token: string) => ({ ...named, authorization: `Bearer ${token}` });
    expect(await ask(served.port, {})).toBe(200);
    expect(await ask(served.port, named)).toBe(401);
    expect(await ask(served.port, { 'x-forwarded-for': '192.0.2.1' })).toBe(401);
    expect(await ask(served.port, bearer('another-token-of-no-use'))).toBe(401);
    expect(await ask(served.port, bearer(config.METRICS_TOKEN))).toBe(200);
    expect(await ask(bare.port, bearer(''))).toBe(401);
    await served.close();
    await bare.close();
  });
});
