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

/** The engine closes a workflow a moment after its row. */
const engineStatus = async (id: string) => (await stand.deps.temporal.workflow.getHandle(id).describe()).status.name;

test('a task that an agent takes as soon as it asks has no place in the queue; one that it has no room for has', async () => {
  const task = { type: 'processing', capabilities: ['fetched'], executor: 'agent' };
  const place = async () => (await caller.call('POST', '/api/v1/tasks', task)).body.queue_position;
  expect(await place()).toBe(1);
  const puller = await stand.agent({ name: 'has-room-for-two', capabilities: ['fetched'], max_concurrency: 2 });
  expect(await place()).toBeNull();
  expect(await puller.claim({ max: 2 })).toHaveLength(2);
  expect(await place()).toBe(1);
  const open = await caller.call('GET', '/api/v1/tasks');
  for (const { task_id } of open.body.items) await caller.call('POST', `/api/v1/tasks/${task_id}/cancel`);
  await stand.deps.db.deleteFrom('agents').where('name', '=', 'has-room-for-two').execute();
});

test('a NUL character, which Postgres cannot hold, is a fault of the caller wherever it stands', async () => {
  const admin = await stand.caller('admin');
  for (const path of [
    '/api/v1/tasks?agent=%00',
    '/api/v1/tasks?owner=a%00',
    '/api/v1/tasks?pipeline_id=%00',
    '/api/v1/audit?resource=%00',
  ]) {
    const { status, body } = await admin.call('GET', path);
    expect([status, body.code], path).toEqual([400, 'invalid_input']);
  }
  const { status, body } = await caller.call('POST', '/api/v1/tasks', { type: 'analysis', pipeline_id: 'a\u0000' });
  expect([status, body.errors[0].path]).toEqual([400, 'pipeline_id']);
});

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
  await expect.poll(() => engineStatus(body.workflow_id)).toBe('COMPLETED');
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

test('a failed attempt goes to another agent, after a second', async () => {
  const broken = await push(() => ({ status: 422, body: { detail: 'cannot read this' } }));
  const good = await push(() => ({ status: 200, body: { ok: true } }));
  const first = await stand.agent({ name: 'r1', capabilities: ['processing'], endpoints: broken.endpoints });
  const id = await stand.submit(caller, { executor: 'agent', retry_count: 1 });
  await stand.untilStatus(caller, id, 'retrying');
  const second = await stand.agent({ name: 'r2', capabilities: ['processing'], endpoints: good.endpoints });
  const detail = await stand.untilStatus(caller, id, 'completed');
  expect(detail.attempts).toMatchObject([
    {
      agent_id: first.id,
      status: 'failed',
      error: { code: 'agent_failed', detail: expect.stringContaining('cannot read this') },
    },
    { agent_id: second.id, status: 'completed' },
  ]);
  const [one, two] = detail.attempts;
  expect(Date.parse(two.started_at) - Date.parse(one.ended_at)).toBeGreaterThanOrEqual(1_000);
});

test('an agent that cannot be reached costs no retry', async () => {
  const gone = await pushAgent(() => ({ status: 200 }));
  const good = await push(() => ({ status: 200, body: {} }));
  const dead = await stand.agent({ name: 'u1', capabilities: ['processing'], endpoints: gone.endpoints });
  await gone.close();
  const busy = await stand.agent({ name: 'u2', capabilities: ['processing'], endpoints: good.endpoints });
  await busy.call('POST', `/api/v1/agents/${busy.id}/heartbeat`, { current_load: 0.9 });
  const id = await stand.submit(caller, { executor: 'agent', retry_count: 0 });
  const detail = await stand.untilStatus(caller, id, 'completed');
  expect(detail).toMatchObject({ lost: 1, attempts: [{ agent_id: dead.id, status: 'lost' }, { status: 'completed' }] });
});

test.each([500, 501, 505])(
  'an agent that answers %d has failed, and is called no more often than retry_count allows',
  async (status) => {
    const broken = await push(() => ({ status, body: { detail: 'out of paper' } }));
    await stand.agent({ name: `f${status}`, capabilities: ['processing'], endpoints: broken.endpoints });
    const id = await stand.submit(caller, { executor: 'agent', retry_count: 0 });
    const detail = await stand.untilStatus(caller, id, 'failed');
    expect(detail).toMatchObject({
      lost: 0,
      error: { code: 'agent_failed', detail: expect.stringContaining(`answered ${status}: out of paper`) },
      attempts: [{ status: 'failed', error: { code: 'agent_failed' } }],
    });
    expect(broken.tasks).toHaveLength(1);
  },
);

test.each([502, 503, 504, 408, 425, 429])('an agent that answers %d costs no retry', async (status) => {
  const busy = await push(() => ({ status }));
  const good = await push(() => ({ status: 200, body: {} }));
  const first = await stand.agent({ name: `b${status}`, capabilities: ['processing'], endpoints: busy.endpoints });
  const second = await stand.agent({ name: `g${status}`, capabilities: ['processing'], endpoints: good.endpoints });
  await second.call('POST', `/api/v1/agents/${second.id}/heartbeat`, { current_load: 0.9 });
  const id = await stand.submit(caller, { executor: 'agent', retry_count: 0 });
  const detail = await stand.untilStatus(caller, id, 'completed', 'failed');
  expect(detail).toMatchObject({
    status: 'completed',
    lost: 1,
    attempts: [
      { agent_id: first.id, status: 'lost' },
      { agent_id: second.id, status: 'completed' },
    ],
  });
  expect(busy.tasks).toHaveLength(1);
});

test('"not now" with Retry-After is kept to when there is nobody else', async () => {
  let calls = 0;
  const busy = await push(() =>
    ++calls === 1 ? { status: 503, headers: { 'retry-after': '2' } } : { status: 200, body: { calls } },
  );
  await stand.agent({ name: 'later', capabilities: ['processing'], endpoints: busy.endpoints });
  const id = await stand.submit(caller, { executor: 'agent', retry_count: 0 });
  const { attempts, result } = await stand.untilStatus(caller, id, 'completed', 'failed');
  expect(result).toEqual({ calls: 2 });
  const [one, two] = attempts;
  expect(Date.parse(two.started_at) - Date.parse(one.ended_at)).toBeGreaterThanOrEqual(2_000);
});

test('an attempt that takes too long times out and has failed', async () => {
  const slow = await push(() => new Promise(() => {}));
  await stand.agent({ name: 's1', capabilities: ['processing'], endpoints: slow.endpoints });
  const id = await stand.submit(caller, { timeout: 1, retry_count: 0 });
  const detail = await stand.untilStatus(caller, id, 'failed');
  expect(detail).toMatchObject({ error: { code: 'timeout' }, attempts: [{ status: 'timed_out' }] });
  await expect.poll(() => engineStatus(id)).toBe('FAILED');
  const { body } = await caller.call('GET', `/api/v1/workflows/${id}`);
  expect(body).toMatchObject({ status: 'failed', error: { code: 'timeout' } });
});

test('an agent that called back with its own failure is asked again when it is the only one', async () => {
  let calls = 0;
  const remote = await push(() => (++calls === 1 ? { status: 422 } : { status: 200, body: { calls } }));
  await stand.agent({ name: 'o1', capabilities: ['processing'], endpoints: remote.endpoints });
  const id = await stand.submit(caller, {});
  expect((await stand.untilStatus(caller, id, 'completed')).result).toEqual({ calls: 2 });
});

test('cancelled while it waits, it never reaches an agent', async () => {
  const id = await stand.submit(caller, { executor: 'agent', capabilities: ['nobody-has-it'] });
  const waiting = (await caller.call('GET', `/api/v1/tasks/${id}`)).body;
  expect(waiting.logs.at(-1).message).toMatch(/^Waiting: place 1 of 1$/);
  expect((await caller.call('POST', `/api/v1/tasks/${id}/cancel`)).status).toBe(202);
  const detail = await stand.untilStatus(caller, id, 'cancelled');
  expect(detail).toMatchObject({ attempts: [], queue_position: null, error: null });
  expect((await caller.call('POST', `/api/v1/tasks/${id}/cancel`)).status).toBe(202);
  await expect.poll(() => engineStatus(id)).toBe('CANCELLED');
});

test('cancelled while an agent works, the agent is told and its last word is ignored', async () => {
  const remote = await push(() => ({ status: 202 }));
  const agent = await stand.agent({ name: 'c1', capabilities: ['processing'], endpoints: remote.endpoints });
  const id = await stand.submit(caller, {});
  await stand.until(caller, id, ({ status }) => status === 'running' && remote.tasks.length === 1);
  await caller.call('POST', `/api/v1/tasks/${id}/cancel`);
  await stand.untilStatus(caller, id, 'cancelled');
  await expect.poll(() => remote.withdrawn).toEqual([`?task_id=${id}&attempt=1`]);
  const late = await agent.call('POST', `/api/v1/tasks/${id}/complete`, { attempt: 1, result: {} });
  expect(late.body).toEqual({ task_id: id, accepted: false, status: 'cancelled' });
});

test('cancelled during a call that does not end, it ends at once', async () => {
  const remote = await push(() => new Promise(() => {}));
  await stand.agent({ name: 'c2', capabilities: ['processing'], endpoints: remote.endpoints });
  const id = await stand.submit(caller, {});
  await expect.poll(() => remote.tasks.length).toBe(1);
  await caller.call('POST', `/api/v1/tasks/${id}/cancel`);
  const detail = await stand.untilStatus(caller, id, 'cancelled');
  expect(detail.attempts).toMatchObject([{ status: 'cancelled' }]);
});

test('a failed task can be tried again by hand, under another workflow; a completed one cannot', async () => {
  let fail = true;
  const remote = await push(() => (fail ? { status: 422 } : { status: 200, body: {} }));
  await stand.agent({ name: 'h1', capabilities: ['processing'], endpoints: remote.endpoints });
  const id = await stand.submit(caller, { retry_count: 0 });
  await stand.untilStatus(caller, id, 'failed');
  fail = false;
  const retried = await caller.call('POST', `/api/v1/tasks/${id}/retry`);
  expect(retried.status).toBe(202);
  const detail = await stand.untilStatus(caller, id, 'completed');
  expect(detail).toMatchObject({
    workflow_id: `${id}~2`,
    attempt: 2,
    attempts: [{ status: 'failed' }, { status: 'completed' }],
  });
  expect((await caller.call('POST', `/api/v1/tasks/${id}/retry`)).status).toBe(409);
  expect((await caller.call('POST', `/api/v1/tasks/${id}/cancel`)).status).toBe(409);
});

test('an agent that falls silent is asked, and its task moves on when it knows nothing', async () => {
  const remote = await push(
    () => ({ status: 202 }),
    () => ({ status: 404 }),
  );
  const good = await stand.agent({ name: 'q2', capabilities: ['other'] });
  const bad = await stand.agent({ name: 'q1', capabilities: ['processing'], endpoints: remote.endpoints });
  const id = await stand.submit(caller, {});
  await stand.until(caller, id, ({ status }) => status === 'running' && remote.tasks.length === 1);
  await stand.deps.db
    .updateTable('agents')
    .set({ capabilities: ['processing'] })
    .where('agent_id', '=', good.id)
    .execute();
  // The lease, run out early: the workflow is told that the agent is gone, as the monitor would.
  await stand.deps.temporal.workflow.getHandle(id).signal('agentLost', { attempt: 1 });
  const [task] = await good.claim({ wait_seconds: 20 });
  expect(task).toMatchObject({ task_id: id, attempt: 2 });
  await good.call('POST', `/api/v1/tasks/${id}/complete`, { attempt: 2, result: {} });
  expect((await stand.untilStatus(caller, id, 'completed')).attempts).toMatchObject([
    { agent_id: bad.id, status: 'lost' },
    { agent_id: good.id, status: 'completed' },
  ]);
});

test('an idempotency key leads to the same task, and not with another body', async () => {
  const key = { 'idempotency-key': 'once' };
  const body = { type: 'analysis', executor: 'agent', capabilities: ['nobody-has-it'], payload: { n: 1 } };
  const [first, second] = await Promise.all([1, 2].map(() => caller.call('POST', '/api/v1/tasks', body, key)));
  expect(first?.status).toBe(202);
  expect(second?.body.task_id).toBe(first?.body.task_id);
  const other = await caller.call('POST', '/api/v1/tasks', { ...body, payload: { n: 2 } }, key);
  expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_mismatch' } });
});

test.each([
  ['too large a payload', { payload: { text: 'x'.repeat(300_000) } }, 413],
  ['a NUL in the payload', { payload: { text: '\0' } }, 400],
  ['an unknown type', { type: 'cooking' }, 400],
  ['a timeout over TASK_TIMEOUT', { timeout: 3_601 }, 400],
  ['too many retries', { retry_count: 21 }, 400],
  ['a pipeline that is not there', { pipeline_id: 'pipeline-123' }, 404],
  ['a negative stage', { stage: -1 }, 400],
])('%s is refused', async (_what, task, status) => {
  expect((await caller.call('POST', '/api/v1/tasks', { type: 'processing', ...task })).status).toBe(status);
});

test('others do not see a task, unless they were granted it', async () => {
  const id = await stand.submit(caller, { executor: 'agent', capabilities: ['nobody-has-it'] });
  const stranger = await stand.caller('analyst');
  const reader = await stand.caller('analyst', [{ resource: `task:${id}`, access: 'read' }]);
  const writer = await stand.caller('analyst', [{ resource: `task:${id}`, access: 'write' }]);
  const operator = await stand.caller('operator');
  const see = async (who: Caller) => (await who.call('GET', `/api/v1/tasks/${id}`)).status;
  expect(await Promise.all([stranger, reader, writer, operator, caller].map(see))).toEqual([404, 200, 200, 200, 200]);
  const cancel = async (who: Caller) => (await who.call('POST', `/api/v1/tasks/${id}/cancel`)).status;
  expect([await cancel(stranger), await cancel(reader), await cancel(writer)]).toEqual([404, 403, 202]);
  const ids = async (who: Caller, query = '') =>
    (await who.call('GET', `/api/v1/tasks?limit=200${query}`)).body.items.map((item: any) => item.task_id);
  expect(await ids(stranger)).toEqual([]);
  expect(await ids(reader)).toEqual([id]);
  expect(await ids(operator, `&owner=${caller.id}`)).toContain(id);
  expect(await ids(operator, '&owner=nobody')).toEqual([]);
});

test('lists filter and page', async () => {
  const mine = await stand.caller('analyst');
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) {
    ids.push(
      await stand.submit(mine, {
        type: n % 2 ? 'analysis' : 'output',
        executor: 'agent',
        capabilities: ['nobody-has-it'],
      }),
    );
  }
  const seen: string[] = [];
  let cursor = '';
  do {
    const { body } = await mine.call('GET', `/api/v1/tasks?limit=2${cursor}`);
    seen.push(...body.items.map((item: any) => item.task_id));
    expect(body.items.every((item: any) => item.queue_position >= 1)).toBe(true);
    cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
  } while (cursor);
  expect(seen).toEqual([...ids].reverse());
  const { body } = await mine.call('GET', '/api/v1/tasks?type=analysis&status=pending');
  expect(body.items).toHaveLength(2);
});

test("a task that no agent can do is done by the built-in stage of its type, from the seed's own payload", async () => {
  const rows = await stand.submit(caller, {
    type: 'data-ingestion',
    payload: { config: { rows: [{ n: 1 }, { n: 2 }] } },
  });
  const first = await stand.untilStatus(caller, rows, 'completed', 'failed');
  expect(first).toMatchObject({ status: 'completed', assigned_agent: null, attempts: [{ executor: 'builtin' }] });
  expect(first.result.dataset).toMatchObject({ rows: 2, columns: [{ name: 'n' }] });
  const key = 'imports/seed-001/data.csv';
  await stand.deps.objects.put(key, Buffer.from('city;people\nBern;134\nBasel;173\n'));
  const csv = await stand.submit(caller, {
    type: 'data-ingestion',
    payload: { data_source: `s3://${stand.deps.objects.bucket}/${key}`, parameters: { format: 'csv', delimiter: ';' } },
  });
  const second = await stand.untilStatus(caller, csv, 'completed', 'failed');
  expect(second).toMatchObject({ status: 'completed', error: null });
  expect(second.result.dataset.columns.map((column: any) => column.name)).toEqual(['city', 'people']);
});

test('a built-in stage that cannot work fails with the reason, at once when no retry helps', async () => {
  const id = await stand.submit(caller, {
    type: 'data-ingestion',
    payload: { config: { rows: [], data_source: 'nowhere' } },
  });
  const detail = await stand.untilStatus(caller, id, 'completed', 'failed');
  expect(detail).toMatchObject({
    status: 'failed',
    error: { code: 'invalid_input' },
    attempts: [{ status: 'failed' }],
  });
});
