/** The admission queue on a real database, without an engine: the cap, the order, and who is chosen. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Deps } from '../../../src/deps.ts';
import { admitTask, type NewTask } from '../../../src/services/tasks/submit.ts';
import { claimNext } from '../../../src/stores/task-claims.ts';
import { endAttempt } from '../../../src/stores/task-ends.ts';
import { type Assigned, admit } from '../../../src/stores/task-queue.ts';
import { openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
let deps: Deps;
const CAP = 5;

beforeAll(async () => {
  stand = await openStand({}, { MAX_CONCURRENT_TASKS: String(CAP) });
  deps = stand.deps;
});
afterAll(() => stand?.close());
beforeEach(async () => {
  await sql`DELETE FROM tasks`.execute(deps.db);
  await sql`DELETE FROM agents`.execute(deps.db);
});

const submit = (task: Partial<NewTask> = {}) =>
  deps.db
    .transaction()
    .execute((trx) =>
      admitTask(trx, deps, { owner: 'ana', type: 'processing', payload: {}, executor: 'builtin', ...task }),
    );

const admitAll = () => deps.db.transaction().execute((trx) => admit(trx, CAP));

const end = (task: Assigned) =>
  deps.db
    .transaction()
    .execute((trx) =>
      endAttempt(
        trx,
        task,
        { ending: { kind: 'completed' }, completion: { completion_id: randomUUID(), result: {} } },
        CAP,
      ),
    );

async function slots(): Promise<string[]> {
  const rows = await deps.db
    .selectFrom('tasks')
    .select('task_id')
    .where('slot', '=', true)
    .orderBy('assigned_at')
    .execute();
  return rows.map(({ task_id }) => task_id);
}

const row = (id: string) => deps.db.selectFrom('tasks').selectAll().where('task_id', '=', id).executeTakeFirstOrThrow();
const slotOf = (id: string): Promise<Assigned> => row(id);

function agent(
  id: string,
  over: { capabilities?: string[]; pulls?: boolean; max?: number; owner?: string; shared?: boolean } = {},
) {
  const { capabilities = ['processing'], pulls = false, max = 10, owner = 'op', shared = true } = over;
  return sql`
    INSERT INTO agents (agent_id, owner, name, type, capabilities, endpoints, max_concurrency, shared)
    VALUES (${id}, ${owner}, ${id}, 'worker', ${capabilities}, ${pulls ? '{}' : '{"task": "http://127.0.0.1:1/"}'}::jsonb, ${max},
      ${shared})
  `.execute(deps.db);
}

test('as many as MAX_CONCURRENT_TASKS get a slot; the others wait in their places', async () => {
  const places: (number | null)[] = [];
  for (let n = 0; n < CAP + 3; n++) places.push((await submit()).queue_position);
  expect(places).toEqual([null, null, null, null, null, 1, 2, 3]);
  expect(await slots()).toHaveLength(CAP);
});

test('whoever ends gives the slot to the next in the same transaction', async () => {
  const ids: string[] = [];
  for (let n = 0; n < CAP + 2; n++) ids.push((await submit()).task_id);
  const { assigned, next } = await end(await slotOf(ids[0] as string));
  expect(next).toMatchObject({ status: 'completed' });
  expect(assigned.map(({ task_id }) => task_id)).toEqual([ids[CAP]]);
  expect(await slots()).toHaveLength(CAP);
  // Ended again, it gives nothing away a second time.
  expect((await end(await slotOf(ids[0] as string))).assigned).toEqual([]);
  expect(await slots()).toHaveLength(CAP);
});

test('priority goes before time, and an owner with fewer slots before one with many', async () => {
  for (let n = 0; n < CAP; n++) await submit({ owner: 'ana' });
  const low = await submit({ owner: 'bo', priority: 'low' });
  const ana = await submit({ owner: 'ana' });
  const bo = await submit({ owner: 'bo' });
  const high = await submit({ owner: 'ana', priority: 'high' });
  const order: string[] = [];
  for (let n = 0; n < 4; n++) {
    const [first] = await slots();
    const { assigned } = await end(await slotOf(first as string));
    order.push(...assigned.map(({ task_id }) => task_id));
  }
  expect(order).toEqual([high, bo, ana, low].map(({ task_id }) => task_id));
});

test('parallel submissions and ends never exceed the cap, and leave no slot unused', async () => {
  // Counts within each transaction, after each change: what the transaction itself sees under the lock.
  await sql`CREATE TABLE IF NOT EXISTS most_slots (n int)`.execute(deps.db);
  await sql`CREATE OR REPLACE FUNCTION note_slots() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO most_slots SELECT count(*) FROM tasks WHERE slot; RETURN NULL; END $$`.execute(deps.db);
  await sql`CREATE OR REPLACE TRIGGER note_slots AFTER UPDATE ON tasks EXECUTE FUNCTION note_slots()`.execute(deps.db);
  const waiting: Assigned[] = [];
  let ended = 0;
  const endSome = async () => {
    for (;;) {
      const one = waiting.shift();
      if (!one) return;
      const { assigned } = await end(one);
      ended += 1;
      waiting.push(...assigned);
    }
  };
  await Promise.all(
    Array.from({ length: 8 }, async (_, lane) => {
      for (let n = 0; n < 25; n++) {
        const { task_id, run, others } = await submit({ owner: `o${lane % 3}` });
        if (run.input.assigned === true) waiting.push(await slotOf(task_id));
        waiting.push(...others);
        if (n % 3 === 0) await endSome();
      }
    }),
  );
  while (waiting.length > 0) await endSome();
  const most = await sql<{ n: number }>`SELECT max(n) AS n FROM most_slots`.execute(deps.db);
  await sql`DROP TRIGGER note_slots ON tasks`.execute(deps.db);
  expect(most.rows[0]?.n).toBe(CAP);
  expect(ended).toBe(200);
  expect(await slots()).toEqual([]);
  const left = await deps.db.selectFrom('tasks').select('phase').where('phase', '<>', 'closed').execute();
  expect(left).toEqual([]);
});

test('a task that no agent fits is built in, one that asks for an agent waits, and neither holds up others', async () => {
  const auto = await submit({ executor: 'auto' });
  const gpu = await submit({ executor: 'agent', capabilities: ['gpu'] });
  const behind = await submit({ executor: 'auto' });
  expect([auto, gpu, behind].map(({ queue_position }) => queue_position)).toEqual([null, 1, null]);
  expect((await row(auto.task_id)).assigned_agent).toBeNull();
  await agent('with-gpu', { capabilities: ['gpu'] });
  expect((await admitAll()).map(({ task_id }) => task_id)).toEqual([gpu.task_id]);
  expect(await row(gpu.task_id)).toMatchObject({ phase: 'assigned', assigned_agent: 'with-gpu', slot: true });
});

test('an agent gets as much as it has room for; a task that fits a busy agent waits for it', async () => {
  await agent('small', { max: 2 });
  const tasks = [
    await submit({ executor: 'auto' }),
    await submit({ executor: 'auto' }),
    await submit({ executor: 'auto' }),
  ];
  expect(tasks.map(({ queue_position }) => queue_position)).toEqual([null, null, 1]);
  const { assigned } = await end(await slotOf((tasks[0] as { task_id: string }).task_id));
  expect(assigned.map(({ task_id }) => task_id)).toEqual([tasks[2]?.task_id]);
});

test('claims take from the same queue, in the same order, under the same cap', async () => {
  await agent('puller', { pulls: true, max: 3 });
  const [low, high] = [
    await submit({ executor: 'auto', priority: 'low' }),
    await submit({ executor: 'auto', priority: 'high' }),
  ];
  expect([low.queue_position, high.queue_position]).toEqual([1, 1]);
  const other = await submit({ executor: 'agent', capabilities: ['gpu'] });
  const claim = { agent_id: 'puller', max: 10, claim_id: null, lease_seconds: 30, cap: CAP };
  expect((await claimNext(deps.db, claim)).map(({ task_id }) => task_id)).toEqual([high.task_id, low.task_id]);
  expect(await row(high.task_id)).toMatchObject({ phase: 'running', status: 'running', assigned_agent: 'puller' });
  for (let n = 0; n < 4; n++) await submit({ executor: 'agent' });
  // Its third place, and no more.
  expect(await claimNext(deps.db, claim)).toHaveLength(1);
  expect(await claimNext(deps.db, claim)).toEqual([]);
  expect((await row(other.task_id)).phase).toBe('queued');
  // Two slots of the cap are left, and a second agent gets no more than those.
  await agent('second', { pulls: true });
  expect(await claimNext(deps.db, { ...claim, agent_id: 'second' })).toHaveLength(2);
  expect(await slots()).toHaveLength(CAP);
});

test('parallel claims never share a task', async () => {
  await agent('p1', { pulls: true });
  await agent('p2', { pulls: true });
  const ids: string[] = [];
  for (let n = 0; n < CAP; n++) ids.push((await submit({ executor: 'agent' })).task_id);
  const claims = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      claimNext(deps.db, { agent_id: n % 2 ? 'p1' : 'p2', max: 1, claim_id: null, lease_seconds: 30, cap: CAP }),
    ),
  );
  expect(
    claims
      .flat()
      .map(({ task_id }) => task_id)
      .sort(),
  ).toEqual([...ids].sort());
});

test('ten thousand waiting tasks do not slow down who gives out a slot', async () => {
  await sql`INSERT INTO tasks (task_id, owner, type, priority, timeout_seconds, retry_count, executor, workflow_id, capabilities)
    SELECT 'q' || n, 'o' || n % 7, 'processing', n % 3, 60, 0, 'agent', 'q' || n, ARRAY['c' || n % 4]
    FROM generate_series(1, 10000) n`.execute(deps.db);
  await sql`ANALYZE tasks`.execute(deps.db);
  await agent('only-c3', { capabilities: ['c3'] });
  const first = (await admitAll())[0] as Assigned;
  const { rows } = await sql<{
    'QUERY PLAN': string;
  }>`EXPLAIN (ANALYZE, TIMING OFF, BUFFERS) SELECT * FROM task_queue_heads(6, 1)`.execute(deps.db);
  const read = /shared hit=(\d+)/.exec(rows.map((one) => one['QUERY PLAN']).join('\n'));
  // 84 lanes are found by the index: a few pages each, not ten thousand rows.
  expect(Number(read?.[1])).toBeLessThan(2_000);
  expect((await row(first.task_id)).capabilities).toEqual(['c3']);
});

test('a thousand kinds of tasks that nobody can do keep nobody else waiting', async () => {
  await sql`INSERT INTO tasks (task_id, owner, type, priority, timeout_seconds, retry_count, executor, capabilities, workflow_id)
    SELECT 'blocked-' || n, 'ana', 'processing', 0, 60, 0, 'agent', ARRAY['nobody-has-' || n], 'blocked-' || n
    FROM generate_series(1, 1200) n`.execute(deps.db);
  const built = await submit({ owner: 'bob', priority: 'low' });
  const auto = await submit({ owner: 'bob', priority: 'low', executor: 'auto' });
  await agent('free');
  const handed = await submit({ owner: 'bob', executor: 'agent' });
  for (const { task_id, queue_position } of [built, auto, handed]) {
    expect(queue_position).toBeNull();
    expect((await row(task_id)).phase).toBe('assigned');
  }
  const executors = await deps.db.selectFrom('task_attempts').select('executor').orderBy('executor').execute();
  expect(executors.map(({ executor }) => executor)).toEqual(['builtin', 'builtin', 'push']);
  expect(await slots()).toHaveLength(3);
  const busy = await Promise.all(
    Array.from({ length: 3 }, () => submit({ owner: 'eve', executor: 'agent', capabilities: ['x'] })),
  );
  expect(busy.every(({ queue_position }) => queue_position !== null)).toBe(true);
});
