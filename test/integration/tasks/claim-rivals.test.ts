/** Slots left for agents that wait in a claim: in many lanes, among several that wait, and how often the lock is taken. */
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Deps } from '../../../src/deps.ts';
import { tellRoom } from '../../../src/services/agents/room.ts';
import { claimTasks } from '../../../src/services/tasks/claim.ts';
import { admitTask, type NewTask } from '../../../src/services/tasks/submit.ts';
import { claimNext, keepWaiting } from '../../../src/stores/task-claims.ts';
import { TASKS_CHANNEL } from '../../../src/stores/task-events.ts';
import { admit } from '../../../src/stores/task-queue.ts';
import { putAgent } from '../agents/rows.ts';
import { caller } from '../agents/stand.ts';
import { openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
let deps: Deps;
/** How often somebody took the lock of admissions. */
let takings = 0;

beforeAll(async () => {
  stand = await openStand({}, { MAX_CONCURRENT_TASKS: '20' });
  const counted = stand.deps.db.withPlugin({
    transformQuery({ node }) {
      const fragments: readonly string[] = node.kind === 'RawNode' ? node.sqlFragments : [];
      if (fragments.some((text) => text.includes('task_queue_heads'))) takings += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  deps = { ...stand.deps, db: counted };
});
afterAll(() => stand?.close());
beforeEach(async () => {
  await sql`DELETE FROM tasks`.execute(deps.db);
  await sql`DELETE FROM agents`.execute(deps.db);
});

/** An agent that pulls, and waits in a claim for one, unless told. */
async function puller(over: { capabilities?: string[]; current_load?: number } = {}, waitsFor = 1): Promise<string> {
  const id = await putAgent(deps.db, { endpoints: {}, shared: true, max_concurrency: 5, ...over });
  if (waitsFor > 0) await keepWaiting(deps.db, id, waitsFor);
  return id;
}

const submit = async (over: Partial<NewTask> = {}) => {
  const task = { owner: 'ana', type: 'processing' as const, payload: {}, executor: 'agent' as const, ...over };
  return (await deps.db.transaction().execute((trx) => admitTask(trx, deps, task))).task_id;
};
const claim = async (agent_id: string, cap: number, max = 1, claim_id: string | null = null) => {
  const rows = await claimNext(deps.db, { agent_id, max, claim_id, lease_seconds: 30, cap });
  return rows.map(({ task_id }) => task_id);
};
const wait = (agent: string, seconds: number, over: { max?: number; claim_id?: string; signal?: AbortSignal } = {}) => {
  const { max = 1, signal = new AbortController().signal, ...request } = over;
  return claimTasks(deps, caller(agent, 'agent'), agent, { max, wait_seconds: seconds, ...request }, signal);
};
const waiting = async (agent: string) => {
  const row = await deps.db
    .selectFrom('agents')
    .select(['waiting_until', 'waiting_for'])
    .where('agent_id', '=', agent)
    .executeTakeFirstOrThrow();
  return row.waiting_until !== null && row.waiting_until.getTime() > Date.now() ? row.waiting_for : 0;
};

test.each([3, 8])('with one slot and %i more lanes the highest task is left for the one that waits', async (lanes) => {
  const high = await submit({ priority: 'high', capabilities: ['gpu'] });
  for (let n = 0; n < lanes; n++) await submit({ priority: 'low', capabilities: [`c${n}`] });
  await putAgent(deps.db, {
    shared: true,
    max_concurrency: 20,
    capabilities: Array.from({ length: lanes }, (_, n) => `c${n}`),
  });
  const idle = await puller({ capabilities: ['gpu'] });
  expect(await deps.db.transaction().execute((trx) => admit(trx, 1))).toEqual([]);
  expect(await claim(idle, 1)).toEqual([high]);
});

test('a slot left for a better one that waits is not taken for a lower task', async () => {
  const high = await submit({ priority: 'high' });
  const low = await submit({ priority: 'low' });
  const worse = await puller({ current_load: 0.9 });
  const better = await puller();
  expect(await claim(worse, 1)).toEqual([]);
  expect(await claim(better, 1)).toEqual([high]);
  expect(await claim(worse, 2)).toEqual([low]);
});

test('nor is one that was left for a task that only another can do; it keeps as many as that one takes', async () => {
  const high = [
    await submit({ priority: 'high', capabilities: ['gpu'] }),
    await submit({ priority: 'high', capabilities: ['gpu'] }),
  ];
  const low = await submit({ priority: 'low', capabilities: ['cpu'] });
  const cpu = await puller({ capabilities: ['cpu'] });
  const gpu = await puller({ capabilities: ['gpu'] });
  expect(await claim(cpu, 1)).toEqual([]);
  // The other waits for one: the second slot is for whoever is next.
  expect(await claim(cpu, 2)).toEqual([low]);
  expect(await claim(gpu, 2)).toEqual([high[0]]);
});

test('for a task that nobody who waits can do no slot is kept', async () => {
  await submit({ priority: 'high', capabilities: ['gpu'] });
  const low = await submit({ priority: 'low', capabilities: ['cpu'] });
  await puller({ capabilities: ['gpu'] }, 0);
  await puller({ capabilities: ['other'] });
  expect(await claim(await puller({ capabilities: ['cpu'] }), 1)).toEqual([low]);
});

test('claims that end with nothing do not wake one another over a task that none of them can do', async () => {
  await submit({ capabilities: ['gpu'] });
  const agents = await Promise.all(Array.from({ length: 20 }, () => puller({ capabilities: ['cpu'] }, 0)));
  takings = 0;
  expect((await Promise.all(agents.map((agent) => wait(agent, 1)))).flat()).toEqual([]);
  expect(takings).toBe(0);
  // What one of them can do still reaches it while it waits, and takes the lock for it alone.
  const claims = agents.slice(0, 5).map((agent) => wait(agent, 20));
  await expect.poll(async () => (await Promise.all(agents.slice(0, 5).map(waiting))).filter(Boolean).length).toBe(5);
  for (let n = 0; n < 5; n++) await submit({ capabilities: ['cpu'] });
  expect((await Promise.all(claims)).flat()).toHaveLength(5);
});

test('a submission rings for those that wait only when there is something for one of them', async () => {
  const rings: string[] = [];
  const listener = new pg.Client({ connectionString: deps.config.DATABASE_URL });
  await listener.connect();
  try {
    listener.on('notification', ({ payload }) => rings.push(payload ?? ''));
    await listener.query(`LISTEN ${TASKS_CHANNEL}`);
    const told = async (mark: string) => {
      // Rings arrive in the order of their commits.
      await sql`SELECT pg_notify(${TASKS_CHANNEL}, ${mark})`.execute(deps.db);
      await expect.poll(() => rings.at(-1)).toBe(mark);
      return rings.splice(0).length - 1;
    };
    await puller({ capabilities: ['cpu'] });
    await submit({ capabilities: ['gpu'] });
    await submit({ executor: 'builtin' });
    expect(await told('first')).toBe(0);
    await submit({ capabilities: ['cpu'] });
    expect(await told('second')).toBe(1);
  } finally {
    await listener.end();
  }
});

test('told often that there is room, one round of admissions runs and one follows', async () => {
  await submit();
  takings = 0;
  for (let n = 0; n < 50; n++) tellRoom(deps);
  await expect.poll(() => takings).toBe(2);
  tellRoom(deps);
  await expect.poll(() => takings).toBe(3);
});

test('an agent waits until the last of its claims ends', async () => {
  const agent = await puller({}, 0);
  const first = new AbortController();
  const second = new AbortController();
  const claims = [
    wait(agent, 20, { max: 2, signal: first.signal }),
    wait(agent, 20, { max: 3, signal: second.signal }),
  ];
  await expect.poll(() => waiting(agent)).toBe(5);
  first.abort();
  expect(await claims[0]).toEqual([]);
  expect(await waiting(agent)).toBe(3);
  second.abort();
  expect(await claims[1]).toEqual([]);
  expect(await waiting(agent)).toBe(0);
});

test('one of two claims is served: the agent goes on waiting for the other', async () => {
  const agent = await puller({}, 0);
  const ends = new AbortController();
  const claims = [1, 1].map((max) => wait(agent, 20, { max, signal: ends.signal }));
  await expect.poll(() => waiting(agent)).toBe(2);
  await submit();
  expect(await Promise.race(claims)).toHaveLength(1);
  expect(await waiting(agent)).toBe(1);
  ends.abort();
  expect((await Promise.all(claims)).flat()).toHaveLength(1);
  expect(await waiting(agent)).toBe(0);
});

test('a repeated claim is answered with what its first call is given while it waits', async () => {
  const agent = await puller({}, 0);
  const repeated = wait(agent, 8, { claim_id: 'c1' });
  await expect.poll(() => waiting(agent)).toBe(1);
  await sql`INSERT INTO tasks (task_id, owner, type, priority, timeout_seconds, retry_count, executor, workflow_id)
    VALUES ('only', 'ana', 'processing', 1, 60, 0, 'agent', 'task-only')`.execute(deps.db);
  await claim(agent, 20, 1, 'c1');
  expect((await repeated).map(({ task_id }) => task_id)).toEqual(['only']);
  expect(await waiting(agent)).toBe(0);
});

test('two calls with one id at the same moment are given the same', async () => {
  const agent = await puller({}, 0);
  for (let n = 0; n < 4; n++) await submit();
  const given = await Promise.all([1, 2, 3].map(() => claim(agent, 20, 1, 'c1')));
  expect(new Set(given.flat()).size).toBe(1);
  expect(given.flat()).toHaveLength(3);
});
