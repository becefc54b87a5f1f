/** Holds docker-compose.yml to the settings: it runs on no container engine here, so what can be read of it is read. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { describeConfig, loadConfig } from '../src/schema/config.ts';

interface Service {
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  healthcheck?: { test: unknown };
  ports?: string[];
}

interface Scrape {
  authorization?: { credentials_file?: string };
  static_configs?: { targets: string[] }[];
  dns_sd_configs?: { names: string[]; port: number }[];
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { services } = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
};
const ours = Object.entries(services).filter(([, { build }]) => build === '.');
/** As an engine reads it where nobody set anything. */
const bare = (value: string) => value.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');

test('every setting is one of the schema, and together they are valid', () => {
  expect(ours.map(([name]) => name)).toEqual(['api', 'worker']);
  const known = new Set(describeConfig(loadConfig({ env: {}, cwd: '/' })).map(({ name }) => name));
  for (const [, { environment = {} }] of ours) {
    expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
    const env = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, bare(value)]));
    const config = loadConfig({ env, cwd: '/' });
    expect(config.DATABASE_URL).toContain('@postgres:');
    expect(config.MAX_CONCURRENT_TASKS).toBe(loadConfig({ env: {}, cwd: '/' }).MAX_CONCURRENT_TASKS);
  }
});

test('Prometheus reaches the API and every worker itself, where they listen beyond their own loopback', () => {
  const { scrape_configs } = parse(readFileSync(join(ROOT, 'deploy/prometheus.yml'), 'utf8'), { merge: true }) as {
    scrape_configs: Scrape[];
  };
  const config = (name: string) => {
    const env = services[name]?.environment ?? {};
    return loadConfig({
      env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, bare(value)])),
      cwd: '/',
    });
  };
  const [api, worker] = [config('api'), config('worker')];
  const asked = scrape_configs.flatMap(({ static_configs = [], dns_sd_configs = [] }) => [
    ...static_configs.flatMap(({ targets }) => targets),
    ...dns_sd_configs.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`)),
  ]);
  expect(asked).toEqual([`api:${api.SERVER_PORT}`, `worker:${worker.WORKER_METRICS_PORT}`]);
  for (const { authorization } of scrape_configs) expect(authorization?.credentials_file).toBeDefined();
  expect([api.HOST, worker.WORKER_METRICS_HOST]).toEqual(['0.0.0.0', '0.0.0.0']);
  // By the name that Prometheus gives it; a worker asks for no name.
  expect(api.ALLOWED_HOSTS).toContain('api');
  for (const { environment = {} } of ours.map(([, service]) => service)) {
    expect(environment.METRICS_TOKEN).toContain('METRICS_TOKEN:-');
  }
});

test('our programs are there, every server is asked for its health, and only the API is published, on loopback', () => {
  for (const [, { command = [] }] of ours) expect(existsSync(join(ROOT, command[0] ?? ''))).toBe(true);
  for (const [name, { healthcheck }] of Object.entries(services)) expect(healthcheck?.test, name).toBeDefined();
  const published = Object.entries(services).filter(([, { ports = [] }]) => ports.length > 0);
  expect(published.map(([name]) => name)).toEqual(['api']);
  for (const port of published[0]?.[1].ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
});
