/** API and worker as on two machines, each with a folder of its own: what Prometheus hears from which. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../../src/local/ports.ts';
import { type ApiProcess, type OurProcess, startApiProcess, startWorkerProcess } from '../../support/api-process.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

const KEY = 'the-admin-key-of-this-test-0123456789';
const TOKEN = 'a-token-for-the-metrics';

let stack: TestStack;
let api: ApiProcess;
let worker: OurProcess;
let port: number;
const folder = mkdtempSync(join(tmpdir(), 'ostinato-elsewhere-'));

beforeAll(async () => {
  stack = await testStack();
  port = await freePort();
  const settings = { API_KEY: KEY, METRICS_TOKEN: TOKEN };
  api = await startApiProcess(stack, settings);
  worker = await startWorkerProcess(stack, {
    ...settings,
    DATA_DIR: folder,
    WORKER_METRICS_HOST: '0.0.0.0',
    WORKER_METRICS_PORT: String(port),
  });
}, 90_000);
afterAll(async () => {
  await worker?.end('SIGTERM');
  await api?.end('SIGTERM');
  await stack?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** As Prometheus asks, by the name of the machine. */
function scrape(at: number, token?: string): Promise<{ status: number; page: string }> {
  const headers = {
    host: at === port ? `worker:${port}` : `localhost:${at}`,
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: at, path: '/metrics', headers }, (response) => {
      let page = '';
      response.on('data', (chunk) => (page += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, page }));
    }).on('error', reject);
  });
}

it('the worker tells of the work itself, to whoever has the token, and the API of the rest', async () => {
  const asked = { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' } };
  const task = { type: 'validation', payload: { data: [{ a: 1 }], rules: [{ column: 'a', type: 'integer' }] } };
  const answer = await fetch(`${api.url}/api/v1/tasks`, { ...asked, body: JSON.stringify(task) });
  expect(answer.status).toBe(202);
  const told = async () => (await scrape(port, TOKEN)).page;
  await expect.poll(told, { timeout: 30_000 }).toMatch(/^ostinato_task_seconds_count\{.*type="validation".*\} 1$/m);
  expect(await told()).toContain('temporal_');
  expect((await scrape(port)).status).toBe(401);
  const { page } = await scrape(api.port);
  expect(page).toMatch(/^ostinato_requests_total\{.*operation="tasks.submit".*\} 1$/m);
  expect(page).not.toMatch(/^ostinato_task_seconds_count/m);
  expect(readdirSync(join(folder, 'metrics'))).toHaveLength(1);
}, 60_000);
