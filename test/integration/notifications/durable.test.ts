/** Deliveries through the death of a worker, and those that nobody began: the rows are the promise, not the process. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { reconcileRuns } from '../../../src/activities/maintenance/reconcile.ts';
import { createDeps, type Deps } from '../../../src/deps.ts';
import { createLog } from '../../../src/logging.ts';
import { openNotifications } from '../../../src/services/notifications/open.ts';
import { type ApiProcess, type OurProcess, startApiProcess, startWorkerProcess } from '../../support/api-process.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

const KEY = 'the-admin-key-of-this-test-0123456789';
let stack: TestStack;
let api: ApiProcess;
let worker: OurProcess;
let deps: Deps;

/** Ids of the deliveries as they came; while it holds, none is answered. */
const received: string[] = [];
let held: ServerResponse[] | null = null;
const receiver = createServer((request, response) => {
  request.resume().on('end', () => {
    received.push(String(request.headers['webhook-id']));
    if (held) held.push(response);
    else response.writeHead(204).end();
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  stack = await testStack();
  settings.EGRESS_ALLOW = `127.0.0.1:${port()}`;
  api = await startApiProcess(stack, settings);
  worker = await startWorkerProcess(stack, settings);
  deps = await createDeps(stack.config(settings), {
    log: createLog('silent', 'test'),
    applicationName: 'test',
    writesVectors: false,
  });
}, 120_000);
afterAll(async () => {
  await deps?.close();
  await worker?.end('SIGTERM');
  await api?.end('SIGTERM');
  receiver.closeAllConnections();
  receiver.close();
  await stack?.close();
});

const settings: Record<string, string> = { API_KEY: KEY, EMBEDDINGS: 'off' };
const port = () => (receiver.address() as AddressInfo).port;

async function call(method: string, path: string, body?: object): Promise<any> {
  const answer = await fetch(`${api.url}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  expect(answer.status, path).toBeLessThan(300);
  return answer.json();
}

async function run(): Promise<string> {
  const stages = [{ name: 'one', type: 'operation', operation: 'whoami', input: {} }];
  const { pipeline_id } = await call('POST', 'pipelines', { name: 'p', stages });
  const notification = { webhook: `http://127.0.0.1:${port()}/hook` };
  return (await call('POST', `pipelines/${pipeline_id}/execute`, { notification })).run_id;
}

const notificationsOf = async (runId: string) => (await call('GET', `notifications?run_id=${runId}`)).items;

it('a worker that is killed while the receiver has the request: it arrives again under the same id, and counts once', async () => {
  held = [];
  const runId = await run();
  await expect.poll(() => received.length, { timeout: 30_000 }).toBe(1);
  await worker.end('SIGKILL');
  expect(await notificationsOf(runId)).toMatchObject([{ status: 'pending', attempts: 0 }]);
  for (const response of held) response.destroy();
  held = null;
  worker = await startWorkerProcess(stack, settings);
  await expect
    .poll(async () => (await notificationsOf(runId))[0]?.status, { timeout: 40_000, interval: 200 })
    .toBe('delivered');
  const items = await notificationsOf(runId);
  expect(items).toMatchObject([{ status: 'delivered', attempts: 1, last_error: null }]);
  expect(received).toEqual([items[0].notification_id, items[0].notification_id]);
  const closed = () =>
    deps.db
      .selectFrom('workflow_runs')
      .select(['status', 'closed_at'])
      .where('workflow_id', '=', `notify-${items[0].notification_id}`)
      .execute();
  // The row of its workflow follows a step later.
  await expect.poll(closed, { timeout: 20_000 }).toEqual([{ status: 'completed', closed_at: expect.any(Date) }]);
}, 120_000);

it('rows whose workflow nobody started are started by the reconciler, and delivered', async () => {
  const runId = await run();
  await expect.poll(async () => (await notificationsOf(runId))[0]?.status, { timeout: 30_000 }).toBe('delivered');
  received.length = 0;
  const row = await deps.db
    .selectFrom('pipeline_runs')
    .selectAll()
    .where('run_id', '=', runId)
    .executeTakeFirstOrThrow();
  // As where a process dies between its commit and the start that follows it.
  const admitted = await deps.db
    .transaction()
    .execute((trx) => openNotifications(trx, row, 'approval.requested', 'of this test', {}));
  expect(admitted).toHaveLength(1);
  const [{ workflow_id = '' } = {}] = admitted;
  const reconcile = () => new MockActivityEnvironment().run(() => reconcileRuns(deps));
  // What is younger may just be about to be started.
  expect(await reconcile()).toMatchObject({ started: 0 });
  await sql`UPDATE workflow_runs SET created_at = now() - interval '2 minutes' WHERE workflow_id = ${workflow_id}`.execute(
    deps.db,
  );
  expect(await reconcile()).toMatchObject({ started: 1 });
  await expect.poll(() => received, { timeout: 20_000 }).toEqual([workflow_id.replace('notify-', '')]);
  await expect
    .poll(async () => (await notificationsOf(runId)).map(({ status }: { status: string }) => status), {
      timeout: 20_000,
    })
    .toEqual(['delivered', 'delivered']);
}, 90_000);
