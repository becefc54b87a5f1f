/** `ostinato_failures_total`: what fails at a door, in an ingestion and in a delivery is counted by room and code, once. */
import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { abandonFile } from '../../../src/activities/ingestion/remove.ts';
import { closeDelivery } from '../../../src/activities/notifications/close.ts';
import { createMetrics, type Metrics } from '../../../src/metrics.ts';
import { deliveryRun } from '../../../src/services/notifications/open.ts';
import { insertRun } from '../../../src/stores/runs.ts';
import { THINGS } from '../access/fixtures.ts';
import { connect, type LiveServer, Refused, startServer } from '../live/stage.ts';
import { makeKey, openStand, type Stand } from './stand.ts';

let stand: Stand;
let server: LiveServer;
beforeAll(async () => {
  stand = await openStand();
  server = await startServer(stand, { failedPerMinute: 3, env: { WS_MAX_PER_CALLER: 1 } });
});
afterAll(async () => {
  await server.close();
  await stand.close();
});

async function failures({ failures }: Metrics): Promise<Record<string, number>> {
  const { values } = await failures.get();
  return Object.fromEntries(values.map(({ labels, value }) => [`${labels.room} ${labels.code}`, value]));
}

const at = (path: string, token?: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${server.port}${path}`, {
    headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
  });

it('refused credentials, sockets, streams and unknown paths', async () => {
  const { key } = await makeKey(stand.deps, 'viewer');
  const agent = await makeKey(stand.deps, 'agent');
  const socket = await connect(server, { token: key });
  const unable = await connect(server);
  unable.send({ type: 'auth', token: agent.key });
  expect((await unable.closed).code).toBe(4403);
  for (const path of ['/api/v1/files', '/docs']) await at(path, 'ost_wrong');
  // A browser is shown a page, which is a refusal too.
  expect((await at('/', undefined, { accept: 'text/html' })).status).toBe(401);
  const wrong = await connect(server);
  wrong.send({ type: 'auth', token: 'ost_wrong' });
  await wrong.closed;
  const late = await connect(server);
  late.send({ type: 'auth', token: key });
  await late.closed;
  expect((await at('/api/v1/events', 'ost_wrong')).status).toBe(429);
  expect((await at('/api/v1/events', key)).status).toBe(429);
  await at('/api/v1/nothing', key);
  await expect(connect(server, { headers: { origin: 'https://evil.example' } })).rejects.toEqual(new Refused(403));
  await socket.close();
  expect(await failures(server.metrics)).toEqual({
    'access unauthenticated': 4,
    'access too_many_requests': 1,
    'live too_many_requests': 2,
    'live forbidden': 2,
    'http not_found': 1,
  });
});

it('a failed ingestion, once however often its end is repeated, and not one that was cancelled', async () => {
  const metrics = createMetrics();
  const deps = { ...stand.deps, metrics, objects: { delete: async () => {} } } as never;
  for (const status of ['failed', 'cancelled'] as const) {
    const file_id = (await THINGS.file_id?.(stand.deps, 'ada', {})) ?? '';
    const step = { file_id, workflow_id: `ingest-${file_id}`, attempt: 1, owner: 'ada', source: 'slack' as const };
    const run = {
      type: 'ingestFile',
      room: 'ingestion',
      owner: 'ada',
      source: null,
      resource: null,
      input: {},
    } as const;
    await insertRun(stand.deps.db as never, { ...run, workflow_id: step.workflow_id });
    const error = status === 'failed' ? { code: 'truncated_file', detail: 'ends early' } : null;
    for (let repeat = 0; repeat < 2; repeat++) {
      await new MockActivityEnvironment().run(() => abandonFile(deps, { ...step, status, error }));
    }
  }
  expect(await failures(metrics)).toEqual({ 'ingestion truncated_file': 1 });
});

it('a notification that was given up', async () => {
  const metrics = createMetrics();
  const deps = { ...stand.deps, metrics } as never;
  const close = async (status: 'delivered' | 'undelivered' | 'cancelled') => {
    const notification_id = randomUUID();
    const input = { notification_id, owner: 'ada', workflow_id: `notify-${notification_id}` };
    await insertRun(stand.deps.db as never, deliveryRun({ ...input, run_id: null }));
    const error = status === 'undelivered' ? { code: 'delivery_failed', detail: 'answered 500' } : null;
    for (let repeat = 0; repeat < 2; repeat++) await closeDelivery(deps, { ...input, status, error });
  };
  for (const status of ['delivered', 'undelivered', 'cancelled'] as const) await close(status);
  expect(await failures(metrics)).toEqual({ 'notifications delivery_failed': 1 });
});
