/** Tasks from submission to their end, in every way in which they can be done. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Caller, openStand, type PushAgent, pushAgent, type Stand } from './stand.ts';

let stand: Stand;
let caller: Caller;
const agents: PushAgent[] = [];

beforeAll(async () => {
  stand = await openStand();
  caller = await stand.caller();
});
afterEach(async () => {
  await stand.deps.db.updateTable('agents').set({ deleted_at: new Date() }).execute();
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});
afterAll(() => stand?.close());

async function push(...handlers: Parameters<typeof pushAgent>): Promise<PushAgent> {
  const agent = await pushAgent(...handlers);
  agents.push(agent);
  return agent;
}

test('a task of seed 001 goes to an agent that answers at once', async () => {
  const remote = await push((task) => ({ status: 200, body: { rows: task.payload.rows } }));
  const agent = await stand.agent({ name: 'a1', capabilities: ['data-processing'], endpoints: remote.endpoints });
  const { status, body } = await caller.call('POST', '/api/v1/tasks', {
    stage: 1,
    type: 'processing',
    payload: { data_source: 's3://bucket/data.csv', parameters: { format: 'csv', delimiter: ',' }, rows: 3 },
    priority: 'high',
    timeout: 300,
    retry_count: 3,
  });
  expect(status).toBe(202);
  expect(body).toMatchObject({ task_id: expect.stringMatching(/^task-/), status: 'pending', queue_position: null });
  expect(body.workflow_id).toBe(body.task_id);
  const detail = await stand.untilStatus(caller, body.task_id, 'completed');
  expect(detail).toMatchObject({
    result: { rows: 3 },
    progress: 1,
    attempt: 1,
    attempts: [{ executor: 'push', status: 'completed' }],
  });
  const { body: view } = await caller.call('GET', `/api/v1/tasks/${body.task_id}`);
  expect(Object.keys(view)).toEqual([
    'task_id',
    'pipeline_id',
    'stage',
    'status',
    'progress',
    'assigned_agent',
    'started_at',
    'updated_at',
    'logs',
    'error',
  ]);
  expect(view).toMatchObject({
    stage: 1,
    pipeline_id: null,
    status: 'completed',
    assigned_agent: agent.id,
    error: null,
  });
  expect(view.logs[0]).toMatchObject({ level: 'info', message: expect.stringContaining('Task started') });
  expect(remote.tasks).toHaveLength(1);
  const run = await stand.deps.temporal.workflow.getHandle(body.workflow_id).describe();
  expect(run.status.name).toBe('COMPLETED');
});

test('an agent that answers 202 calls back, and only its first word counts', async () => {
  const remote = await push(() => ({ status: 202 }));
  const agent = await stand.agent({ name: 'a2', capabilities: ['processing'], endpoints: remote.endpoints });
  const id = await stand.submit(caller, {});
  await stand.until(caller, id, ({ status }) => status === 'running' && remote.tasks.length === 1);
  const at = await agent.call('POST', `/api/v1/tasks/${id}/progress`, { attempt: 1, progress: 0.5, message: 'half' });
  expect(at).toEqual({ status: 200, body: { task_id: id, accepted: true, status: 'running' } });
  await agent.call('POST', `/api/v1/tasks/${id}/progress`, { attempt: 1, progress: 0.2 });
  expect((await caller.call('GET', `/api/v1/tasks/${id}`)).body.progress).toBe(0.5);
  const words = await Promise.all(
    [1, 1, 2].map((n) => agent.call('POST', `/api/v1/tasks/${id}/complete`, { attempt: 1, result: { n } })),
  );
  expect(words.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(words.filter(({ body }) => body.accepted)).toHaveLength(1);
  const detail = await stand.untilStatus(caller, id, 'completed');
  expect([1, 2]).toContain(detail.result.n);
  const late = await agent.call('POST', `/api/v1/tasks/${id}/complete`, { attempt: 1, result: { n: 3 } });
  expect(late).toEqual({ status: 200, body: { task_id: id, accepted: false, status: 'completed' } });
});

test('an agent that pulls waits for its task and completes it', async () => {
  const agent = await stand.agent({ name: 'p1', capabilities: ['processing'] });
  const waiting = agent.claim({ wait_seconds: 20, max: 5 });
  const id = await stand.submit(caller, { payload: { n: 1 } });
  const [task] = await waiting;
  expect(task).toMatchObject({ task_id: id, attempt: 1, type: 'processing', payload: { n: 1 }, lease_seconds: 60 });
  const done = await agent.call('POST', `/api/v1/tasks/${id}/complete`, { attempt: 1, result: { ok: true } });
  expect(done.body).toEqual({ task_id: id, accepted: true, status: 'completed' });
  expect((await stand.untilStatus(caller, id, 'completed')).result).toEqual({ ok: true });
});
