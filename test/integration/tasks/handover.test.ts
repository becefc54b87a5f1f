/** What is kept between two steps of one attempt, and what a step does that comes too late; steps are taken by hand. */
import { CancelledFailure } from '@temporalio/activity';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { beginAttempt } from '../../../src/activities/tasks/begin.ts';
import { createCalls } from '../../../src/activities/tasks/calls.ts';
import { staleAssignments } from '../../../src/stores/task-queue.ts';
import { type Caller, openStand, type PushAgent, pushAgent, type Stand } from './stand.ts';

let stand: Stand;
let caller: Caller;
const agents: PushAgent[] = [];

beforeAll(async () => {
  stand = await openStand({}, { workers: false });
  caller = await stand.caller('admin');
});
afterEach(async () => {
  await stand.deps.db.updateTable('agents').set({ deleted_at: new Date() }).execute();
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});
afterAll(() => stand?.close());

async function push(name: string, ...handlers: Parameters<typeof pushAgent>): Promise<PushAgent> {
  const agent = await pushAgent(...handlers);
  agents.push(agent);
  await stand.agent({ name, capabilities: [name], endpoints: agent.endpoints });
  return agent;
}

async function submit(capability: string) {
  const task = { type: 'processing', payload: {}, capabilities: [capability], executor: 'agent' };
  const task_id = await stand.submit(caller, task);
  return { task_id, attempt: 1, workflow_id: task_id };
}

const wanted = () => new AbortController().signal;

/** The next write of a result fails, as when Postgres picks one of two that wait for one another. */
async function hiccup(): Promise<void> {
  await sql`
    CREATE SEQUENCE hiccups;
    CREATE FUNCTION hiccup() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF nextval('hiccups') = 1 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF;
        RETURN NEW;
      END $$;
    CREATE TRIGGER hiccup BEFORE INSERT ON task_results FOR EACH ROW EXECUTE FUNCTION hiccup();
  `.execute(stand.deps.db);
}

test('an answer that could not be written down is kept for the next step: the agent is called once', async () => {
  const agent = await push('answers', () => ({ status: 200, body: { done: true } }));
  const step = await submit('answers');
  const calls = createCalls('mine');
  await hiccup();
  const begin = () => beginAttempt(stand.deps, calls, step, { signal: wanted(), waits: true });
  await expect(begin()).rejects.toThrow('deadlock detected');
  expect(await begin()).toMatchObject({ kind: 'over', next: { status: 'completed', attempt: 1 } });
  expect(agent.tasks).toHaveLength(1);
});

test('a step that is not wanted any more calls nobody', async () => {
  const agent = await push('unwanted', () => ({ status: 202 }));
  const step = await submit('unwanted');
  const reason = new CancelledFailure('it was cancelled');
  const signal = AbortSignal.abort(reason);
  const begun = beginAttempt(stand.deps, createCalls('mine'), step, { signal, waits: true });
  await expect(begun).rejects.toBe(reason);
  expect(agent.tasks).toHaveLength(0);
});

test('a fetched task whose lease ran out is told of, as one that somebody has', async () => {
  await stand.agent({ name: 'pulls', capabilities: ['pulls'] });
  const { task_id } = await submit('pulls');
  const rows = (columns: object) =>
    stand.deps.db.updateTable('tasks').set(columns).where('task_id', '=', task_id).execute();
  const stale = async () => (await staleAssignments(stand.deps.db, 30)).filter((one) => one.task_id === task_id);
  const minute = 60_000;
  const ago = new Date(Date.now() - minute);
  await rows({ slot: true, phase: 'running', updated_at: ago, lease_until: new Date(Date.now() + minute) });
  expect(await stale()).toEqual([]);
  await rows({ lease_until: ago });
  expect(await stale()).toEqual([{ task_id, workflow_id: task_id, attempt: 1, working: true }]);
  // Once in that time.
  expect(await stale()).toEqual([]);
  await rows({ phase: 'assigned', updated_at: ago, lease_until: null });
  expect(await stale()).toMatchObject([{ task_id, working: false }]);
});
