/** Callbacks: who may make them, of which attempt, and that exactly one last word counts. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { MAX_LOG_LINE, MAX_LOG_LINES, MAX_TASK_JSON } from '../../../src/schema/tasks.ts';
import { type Caller, openStand, type Stand, type TestAgent } from './stand.ts';

let stand: Stand;
let caller: Caller;
let agent: TestAgent;
let other: TestAgent;

beforeAll(async () => {
  stand = await openStand();
  caller = await stand.caller();
  agent = await stand.agent({ name: 'mine', capabilities: ['processing'], max_concurrency: 20 });
  other = await stand.agent({ name: 'other', capabilities: ['processing', 'gpu'], max_concurrency: 20 });
});
afterAll(() => stand?.close());
afterEach(async () => {
  await stand.deps.db.updateTable('tasks').set({ slot: false, phase: 'closed', status: 'cancelled' }).execute();
});

/** A task that `agent` has. */
async function claimed(task: object = {}): Promise<string> {
  const id = await stand.submit(caller, { executor: 'agent', ...task });
  const tasks = await agent.claim({ wait_seconds: 10 });
  expect(tasks.map((one) => one.task_id)).toEqual([id]);
  return id;
}

const say = (who: Caller, id: string, verb: string, body: object) =>
  who.call('POST', `/api/v1/tasks/${id}/${verb}`, body);

const words: [string, object][] = [
  ['progress', { progress: 0.9 }],
  ['logs', { logs: [{ message: 'hello' }] }],
  ['complete', { result: { forged: true } }],
  ['fail', { error: { message: 'forged' } }],
];

test.each(words)(
  '%s of another agent, of a caller, and of an attempt that never was changes nothing',
  async (verb, body) => {
    const id = await claimed();
    const before = (await caller.call('GET', `/api/v1/tasks/${id}/detail`)).body;
    expect((await say(other, id, verb, { attempt: 1, ...body })).status).toBe(403);
    expect((await say(caller, id, verb, { attempt: 1, ...body })).status).toBe(403);
    expect((await say(await stand.caller('admin'), id, verb, { attempt: 1, ...body })).status).toBe(403);
    expect((await say(agent, id, verb, { attempt: 2, ...body })).status).toBe(409);
    expect((await say(agent, 'task-none', verb, { attempt: 1, ...body })).status).toBe(404);
    expect((await say(agent, id, verb, body)).status).toBe(400);
    expect((await caller.call('GET', `/api/v1/tasks/${id}/detail`)).body).toEqual(before);
  },
);

test('an earlier attempt that went to somebody else is answered and ignored', async () => {
  const id = await claimed();
  await say(agent, id, 'fail', {
    attempt: 1,
    error: { code: 'EXECUTION_ERROR', message: 'Invalid input data format' },
  });
  const [again] = await other.claim({ wait_seconds: 20 });
  expect(again).toMatchObject({ task_id: id, attempt: 2 });
  for (const [verb, body] of words) {
    expect((await say(agent, id, verb, { attempt: 1, ...body })).body).toMatchObject({ accepted: false });
    expect((await say(agent, id, verb, { attempt: 2, ...body })).status).toBe(403);
  }
  const done = await say(other, id, 'complete', { attempt: 2, result: { by: 'other' } });
  expect(done.body).toEqual({ task_id: id, accepted: true, status: 'completed' });
  const { body } = await caller.call('GET', `/api/v1/tasks/${id}/detail`);
  expect(body).toMatchObject({
    status: 'completed',
    result: { by: 'other' },
    attempt: 2,
    attempts: [
      { status: 'failed', agent_id: agent.id, error: { code: 'execution_error', detail: 'Invalid input data format' } },
      { status: 'completed', agent_id: other.id, error: null },
    ],
  });
});

test('of many last words at once, the same and different, exactly one is accepted', async () => {
  const id = await claimed();
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      n % 3 === 0
        ? say(agent, id, 'fail', { attempt: 1, error: { message: `no ${n}` }, retryable: false })
        : say(agent, id, 'complete', { attempt: 1, result: { n: n % 2 } }),
    ),
  );
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  expect(answers.filter(({ body }) => body.accepted)).toHaveLength(1);
  const { body } = await caller.call('GET', `/api/v1/tasks/${id}/detail`);
  expect(['completed', 'failed']).toContain(body.status);
  expect(answers.every((answer) => !answer.body.accepted || answer.body.status === body.status)).toBe(true);
  const results = await stand.deps.db.selectFrom('task_results').selectAll().where('task_id', '=', id).execute();
  expect(results).toHaveLength(1);
});

test('an accepted word whose process died before it told the workflow is found when it is repeated', async () => {
  const id = await claimed();
  await stand.deps.db
    .updateTable('task_attempts')
    .set({ completion_id: '8a6e0804-2bd0-4672-b79d-d97027f9071a' })
    .where('task_id', '=', id)
    .execute();
  await stand.deps.db
    .insertInto('task_results')
    .values({
      completion_id: '8a6e0804-2bd0-4672-b79d-d97027f9071a',
      task_id: id,
      attempt: 1,
      result: '{"first": true}',
    })
    .execute();
  const answer = await say(agent, id, 'complete', { attempt: 1, result: { second: true } });
  expect(answer.body).toEqual({ task_id: id, accepted: false, status: 'completed' });
  expect((await caller.call('GET', `/api/v1/tasks/${id}/detail`)).body.result).toEqual({ first: true });
});

test('a failure that no retry helps ends the task, with the code in the event', async () => {
  const id = await claimed();
  const error = { code: 'EXECUTION_ERROR', message: 'Invalid input data format' };
  const answer = await say(agent, id, 'fail', { attempt: 1, error, retryable: false });
  expect(answer.body).toEqual({ task_id: id, accepted: true, status: 'failed' });
  const { body } = await caller.call('GET', `/api/v1/tasks/${id}`);
  expect(body.error).toEqual({ code: 'execution_error', detail: 'Invalid input data format' });
  const events = await stand.deps.db
    .selectFrom('event_log')
    .select(['name', 'data'])
    .where('resource', '=', `task:${id}`)
    .orderBy('seq')
    .execute();
  expect(events.map(({ name, data }) => `${name} ${data.status ?? ''}`)).toEqual([
    'task.updated pending',
    'task.updated running',
    'task.updated failed',
    'task.error ',
  ]);
  expect(events.at(-1)?.data).toEqual({
    task_id: id,
    error: 'Task execution failed',
    details: error,
    timestamp: expect.stringMatching(/Z$/),
  });
});

test('logs are cut, bounded, and shown newest last', async () => {
  const id = await claimed();
  const long = 'x'.repeat(MAX_LOG_LINE + 5);
  for (let n = 0; n < 6; n++) {
    const logs = Array.from({ length: 200 }, (_, i) => ({ level: 'debug', message: `line ${n * 200 + i}` }));
    expect((await say(agent, id, 'logs', { attempt: 1, logs })).body.accepted).toBe(true);
  }
  await say(agent, id, 'logs', { attempt: 1, logs: [{ message: long, timestamp: '2026-01-01T00:00:00Z' }] });
  const { count } = await stand.deps.db
    .selectFrom('task_logs')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('task_id', '=', id)
    .executeTakeFirstOrThrow();
  expect(Number(count)).toBe(MAX_LOG_LINES);
  const { logs } = (await caller.call('GET', `/api/v1/tasks/${id}`)).body;
  expect(logs).toHaveLength(200);
  expect(logs.at(-2).message).toBe('line 1199');
  expect(logs.at(-1)).toMatchObject({ level: 'info', timestamp: '2026-01-01T00:00:00.000Z' });
  expect(logs.at(-1).message).toHaveLength(MAX_LOG_LINE);
});

test('progress tells at most one event a second, and renews the lease', async () => {
  const id = await claimed();
  const lease = async () =>
    (await stand.deps.db.selectFrom('tasks').select('lease_until').where('task_id', '=', id).executeTakeFirstOrThrow())
      .lease_until as Date;
  const before = await lease();
  const started = Date.now();
  for (let n = 1; n <= 20; n++) await say(agent, id, 'progress', { attempt: 1, progress: n / 20 });
  const seconds = Math.ceil((Date.now() - started) / 1000) + 1;
  const events = await stand.deps.db
    .selectFrom('event_log')
    .select('data')
    .where('resource', '=', `task:${id}`)
    .where('workflow_id', '=', id)
    .execute();
  expect(events.length).toBeLessThanOrEqual(2 + seconds);
  expect((await lease()).getTime()).toBeGreaterThan(before.getTime());
});

test('what is too large or cannot be stored is refused', async () => {
  const id = await claimed();
  const large = { text: 'x'.repeat(MAX_TASK_JSON) };
  expect((await say(agent, id, 'complete', { attempt: 1, result: large })).status).toBe(413);
  expect((await say(agent, id, 'complete', { attempt: 1, result: { a: '\0' } })).status).toBe(400);
  expect((await say(agent, id, 'fail', { attempt: 1, error: { message: '\ud800' } })).status).toBe(400);
  expect((await say(agent, id, 'complete', { attempt: 1, result: {} })).body.accepted).toBe(true);
});

test('a claim repeated with its id is answered with the same tasks, until they are done', async () => {
  const id = await stand.submit(caller, { executor: 'agent' });
  const first = await agent.claim({ wait_seconds: 10, claim_id: 'c-1', max: 3 });
  expect(first.map((task) => task.task_id)).toEqual([id]);
  await stand.submit(caller, { executor: 'agent' });
  expect(await agent.claim({ claim_id: 'c-1', max: 3 })).toEqual(first);
  await say(agent, id, 'complete', { attempt: 1 });
  expect((await agent.claim({ claim_id: 'c-1' })).map((task) => task.task_id)).not.toContain(id);
});

test('only the agent itself claims, and one that hangs up takes nothing', async () => {
  const path = `/api/v1/agents/${agent.id}/tasks/claim`;
  for (const who of [other, caller, await stand.caller('admin')])
    expect((await who.call('POST', path, {})).status).toBe(403);
  const hangUp = new AbortController();
  const waiting = agent.call('POST', path, { wait_seconds: 30 }, {}, hangUp.signal).catch(() => 'gone');
  // While somebody waits there is a listener, and none afterwards.
  const listeners = async () => {
    const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE application_name = 'ostinato-tasks' AND datname = current_database()`.execute(stand.deps.db);
    return rows[0]?.n;
  };
  await expect.poll(listeners).toBe(1);
  hangUp.abort();
  expect(await waiting).toBe('gone');
  await expect.poll(listeners).toBe(0);
  const id = await stand.submit(caller, { executor: 'agent' });
  expect((await other.claim({ wait_seconds: 10 })).map((task) => task.task_id)).toEqual([id]);
});
