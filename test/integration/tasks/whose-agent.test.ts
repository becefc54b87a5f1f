/** Whose agents a task goes to, on a real database, without an engine: pushed, claimed, one lane or many, and by name. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Deps } from '../../../src/deps.ts';
import { admitTask, type NewTask } from '../../../src/services/tasks/submit.ts';
import { claimNext } from '../../../src/stores/task-claims.ts';
import { admit } from '../../../src/stores/task-queue.ts';
import { putAgent } from '../agents/rows.ts';
import { openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
let deps: Deps;
const CAP = 20;

beforeAll(async () => {
  stand = await openStand({}, { MAX_CONCURRENT_TASKS: String(CAP) });
  deps = stand.deps;
});
afterAll(() => stand?.close());
beforeEach(async () => {
  for (const table of ['tasks', 'agents']) await sql`DELETE FROM ${sql.table(table)}`.execute(deps.db);
});

const submit = async (owner: string, task: Partial<NewTask> = {}) =>
  (
    await deps.db
      .transaction()
      .execute((trx) => admitTask(trx, deps, { owner, type: 'processing', payload: {}, executor: 'agent', ...task }))
  ).task_id;
const agent = (owner: string, over: Parameters<typeof putAgent>[1] = {}) =>
  putAgent(deps.db, { owner, max_concurrency: CAP, ...over });
const claim = async (agentId: string) =>
  (await claimNext(deps.db, { agent_id: agentId, max: CAP, claim_id: null, lease_seconds: 30, cap: CAP })).map(
    ({ task_id }) => task_id,
  );
const admitAll = () => deps.db.transaction().execute((trx) => admit(trx, CAP));
const row = (id: string) => deps.db.selectFrom('tasks').selectAll().where('task_id', '=', id).executeTakeFirstOrThrow();
const agentOf = async (id: string) => (await row(id)).assigned_agent;
const PULLS = { endpoints: {} };

describe('a task goes', () => {
  test('to agents of its owner', async () => {
    const [mine, theirs] = [await agent('ana'), await agent('ben')];
    expect([await agentOf(await submit('ana')), await agentOf(await submit('ben'))]).toEqual([mine, theirs]);
  });

  test('not to those of another, however idle they are', async () => {
    const mine = await agent('ana', { current_load: 0.9, status: 'degraded' });
    await agent('ben');
    for (let n = 0; n < 5; n++) expect(await agentOf(await submit('ana'))).toBe(mine);
  });

  test('to a shared one, whoever registered it', async () => {
    const shared = await agent('ben', { shared: true });
    expect(await agentOf(await submit('ana'))).toBe(shared);
  });

  test('built in, when only agents of others could do it', async () => {
    await agent('ben');
    const id = await submit('ana', { executor: 'auto', payload: { data_source: 's3://b/x.csv', sql: 'SELECT 1' } });
    expect(await row(id)).toMatchObject({ phase: 'assigned', assigned_agent: null });
  });

  test('nowhere while it asks for an agent and only others have one', async () => {
    await agent('ben');
    const id = await submit('ana');
    expect(await row(id)).toMatchObject({ phase: 'queued', slot: false });
    const mine = await agent('ana');
    await admitAll();
    expect(await agentOf(id)).toBe(mine);
  });
});

describe('claims', () => {
  test('give an agent the tasks of its owner alone, in order', async () => {
    const [mine, theirs] = [await agent('ana', PULLS), await agent('ben', PULLS)];
    const [first, second, other] = [await submit('ana'), await submit('ana'), await submit('ben')];
    expect(await claim(theirs)).toEqual([other]);
    expect(await claim(mine)).toEqual([first, second]);
    expect(await claim(theirs)).toEqual([]);
  });

  test('give a shared agent those of everybody', async () => {
    const shared = await agent('olga', { ...PULLS, shared: true });
    const ids = [await submit('ana'), await submit('ben'), await submit('olga')];
    expect((await claim(shared)).toSorted()).toEqual(ids.toSorted());
  });
});

test('tasks of many owners, whose lanes are looked at together, go to the agent of each', async () => {
  const owners = Array.from({ length: 8 }, (_, n) => `o${n}`);
  const ids = new Map<string, string>();
  for (const owner of owners) ids.set(owner, await submit(owner));
  const auto = await submit('nobody', { executor: 'auto', payload: { data_source: 's3://b/x.csv', sql: 'SELECT 1' } });
  expect((await row(auto)).phase).toBe('assigned');
  await agent('waiter', { status: 'offline' });
  const odd = await submit('waiter', { executor: 'auto' });
  const lacking = await submit('nobody', { executor: 'auto' });
  expect([(await row(odd)).phase, (await row(lacking)).phase]).toEqual(['queued', 'assigned']);
  const agents = new Map<string, string>();
  for (const owner of owners.slice(0, 6)) agents.set(owner, await agent(owner));
  expect(await admitAll()).toHaveLength(6);
  for (const [owner, id] of ids) expect(await agentOf(id), owner).toBe(agents.get(owner) ?? null);
});

test('an agent that tried is passed over for another of the same owner, and not kept waiting by one of others', async () => {
  const tried = await agent('ana');
  const id = await submit('ana');
  await agent('ben');
  const again = () =>
    deps.db
      .updateTable('tasks')
      .set({ phase: 'queued', slot: false, assigned_agent: null, attempt: sql`attempt + 1`, excluded_agents: [tried] })
      .where('task_id', '=', id)
      .execute();
  await again();
  await admitAll();
  expect(await agentOf(id)).toBe(tried);
  const other = await agent('ana');
  await again();
  await admitAll();
  expect(await agentOf(id)).toBe(other);
});

describe('a task that names an agent', () => {
  test('goes to that one, whatever it says it can, and to no other', async () => {
    await agent('ana');
    const named = await agent('ben', { capabilities: ['something-else'], type: 'orchestrator' });
    const id = await submit('ana', { executor: 'auto', wanted_agent: named });
    expect(await row(id)).toMatchObject({ assigned_agent: named, executor: 'agent' });
    const pulls = await agent('ben', { ...PULLS, capabilities: [] });
    const waits = await submit('ana', { wanted_agent: pulls });
    expect((await row(waits)).phase).toBe('queued');
    expect(await claim(pulls)).toEqual([waits]);
  });

  test('goes to it again after it failed or was lost, though others could', async () => {
    await agent('ana');
    const named = await agent('ana');
    const id = await submit('ana', { wanted_agent: named });
    await deps.db
      .updateTable('tasks')
      .set({ phase: 'queued', slot: false, assigned_agent: null, attempt: sql`attempt + 1`, excluded_agents: [named] })
      .where('task_id', '=', id)
      .execute();
    await admitAll();
    expect(await agentOf(id)).toBe(named);
  });

  test('waits for it while it is busy or away, and holds up nobody', async () => {
    const named = await agent('ana', { status: 'offline' });
    const id = await submit('ana', { wanted_agent: named });
    const free = await agent('ana', { name: randomUUID() });
    expect(await agentOf(await submit('ana'))).toBe(free);
    expect((await row(id)).phase).toBe('queued');
    await deps.db.updateTable('agents').set({ status: 'active' }).where('agent_id', '=', named).execute();
    await admitAll();
    expect(await agentOf(id)).toBe(named);
  });
});
