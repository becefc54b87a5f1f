/** Agents that wait in a claim: they compete with those that are called, and the best of them gets the task. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Deps } from '../../../src/deps.ts';
import type { AgentType, TaskType } from '../../../src/schema/names.ts';
import { claimTasks } from '../../../src/services/tasks/claim.ts';
import { admitTask } from '../../../src/services/tasks/submit.ts';
import { claimNext, keepWaiting } from '../../../src/stores/task-claims.ts';
import { admit } from '../../../src/stores/task-queue.ts';
import { putAgent } from '../agents/rows.ts';
import { caller } from '../agents/stand.ts';
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
  await sql`DELETE FROM tasks`.execute(deps.db);
  await sql`DELETE FROM agents`.execute(deps.db);
});

interface Puller {
  type?: AgentType;
  capabilities?: string[];
  status?: 'active' | 'degraded';
  current_load?: number;
  resources?: object;
  max_concurrency?: number;
}

/** An agent that pulls, and waits in a claim for `max`. */
async function puller(over: Puller = {}, max = 1): Promise<string> {
  const id = await putAgent(deps.db, { endpoints: {}, shared: true, ...over });
  await keepWaiting(deps.db, id, max);
  return id;
}
const pushed = (over: Puller = {}) => putAgent(deps.db, { shared: true, ...over });

const submit = async (type: TaskType = 'processing', executor: 'auto' | 'agent' = 'agent') => {
  const task = { owner: 'ana', type, payload: {}, executor };
  return (await deps.db.transaction().execute((trx) => admitTask(trx, deps, task))).task_id;
};
const claim = async (agent_id: string, max = 1) => {
  const rows = await claimNext(deps.db, { agent_id, max, claim_id: null, lease_seconds: 30, cap: CAP });
  return rows.map(({ task_id }) => task_id);
};
const agentOf = async (id: string) =>
  (await deps.db.selectFrom('tasks').select('assigned_agent').where('task_id', '=', id).executeTakeFirstOrThrow())
    .assigned_agent;
const admitAll = () => deps.db.transaction().execute((trx) => admit(trx, CAP));

test('an idle one that waits goes before a loaded one that is called; without the wait it does not', async () => {
  const called = await pushed({ current_load: 0.9, max_concurrency: 5 });
  const idle = await puller({ resources: { cpu: 64 } });
  const left = await submit();
  expect(await agentOf(left)).toBeNull();
  expect(await claim(idle)).toEqual([left]);
  // It works now, and waits for nothing.
  expect(await agentOf(await submit())).toBe(called);
});

test('one that waits gets as many as its claim takes; the next ones are handed to others at once', async () => {
  const called = await pushed({ current_load: 0.9, max_concurrency: 5 });
  const idle = await puller({ max_concurrency: 4 }, 2);
  const ids = [await submit(), await submit(), await submit()];
  expect(await Promise.all(ids.map(agentOf))).toEqual([null, null, called]);
  expect(await claim(idle, 2)).toEqual(ids.slice(0, 2));
});

test('what was left for one that is gone is handed to others', async () => {
  const called = await pushed({ current_load: 0.9 });
  const idle = await puller();
  const left = await submit();
  expect(await agentOf(left)).toBeNull();
  await deps.db
    .updateTable('agents')
    .set({ waiting_until: new Date(0) })
    .where('agent_id', '=', idle)
    .execute();
  await admitAll();
  expect(await agentOf(left)).toBe(called);
});

test('of those that wait a validator goes first for validation, if it has room', async () => {
  const worker = await puller();
  const validator = await puller({ type: 'validator', capabilities: [], current_load: 0.9 });
  const [first, second] = [await submit('validation'), await submit('validation')];
  const other = await submit('analysis');
  // The first is the validator's; it takes one, and what is left over is for the others.
  expect(await claim(worker, 1)).toEqual([second]);
  expect(await claim(validator, 1)).toEqual([first]);
  await keepWaiting(deps.db, worker, 1);
  expect(await agentOf(other)).toBeNull();
});

test('of those that wait active ones go before degraded ones, and the least loaded before others', async () => {
  const degraded = await puller({ status: 'degraded' });
  const loaded = await puller({ current_load: 0.5 });
  const large = await puller({ current_load: 0.5, resources: { cpu: 64, memory: '256GB' } });
  const id = await submit();
  expect(await claim(degraded)).toEqual([]);
  expect(await claim(loaded)).toEqual([]);
  expect(await claim(large)).toEqual([id]);
  const next = await submit();
  expect(await claim(degraded)).toEqual([]);
  expect(await claim(loaded)).toEqual([next]);
  expect(await claim(degraded)).toEqual([]);
  const last = await submit();
  expect(await claim(degraded)).toEqual([last]);
});

test('equals do not leave tasks to one another', async () => {
  const [one, two] = [await puller(), await puller()];
  const ids = [await submit(), await submit()];
  expect([...(await claim(two)), ...(await claim(one))]).toEqual(ids);
});

test('a claim that waits is known while it does, and not afterwards', async () => {
  const agent = await putAgent(deps.db, { endpoints: {}, shared: true });
  const row = () => deps.db.selectFrom('agents').selectAll().where('agent_id', '=', agent).executeTakeFirstOrThrow();
  const principal = caller(agent, 'agent');
  const controller = new AbortController();
  const waiting = claimTasks(deps, principal, agent, { max: 3, wait_seconds: 20 }, controller.signal);
  await expect.poll(async () => (await row()).waiting_for).toBe(3);
  expect((await row()).waiting_until?.getTime()).toBeGreaterThan(Date.now());
  controller.abort();
  expect(await waiting).toEqual([]);
  expect((await row()).waiting_until).toBeNull();
});
