/** Tasks whose agents are away: who waits, who is built in, what waiting looks like, and how it ends. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createAgentWatch } from '../../../src/services/agents/watch.ts';
import { lookAtStranded } from '../../../src/services/tasks/overdue.ts';
import { overdueTasks } from '../../../src/stores/task-stranded.ts';
import { type Caller, openStand, pushAgent, type Stand } from './stand.ts';

let stand: Stand;
let developer: Caller;
let admin: Caller;

beforeAll(async () => {
  stand = await openStand({ AGENT_HEARTBEAT_SECONDS: '1' });
  [developer, admin] = [await stand.caller('developer'), await stand.caller('admin')];
});
beforeEach(async () => {
  for (const table of ['tasks', 'agents']) await sql`DELETE FROM ${sql.table(table)}`.execute(stand.deps.db);
});
afterAll(() => stand?.close());

/** Only an agent can do this: it names no data. */
const ODD = { type: 'processing', payload: { question: 'who?' }, timeout: 60 };

async function register(by: Caller, over: object = {}): Promise<string> {
  const name = `agent-${Math.random()}`;
  const registration = { name, capabilities: ['task-execution'], ...over };
  const { status, body } = await by.call('POST', '/api/v1/agents/register', registration);
  expect(status, JSON.stringify(body)).toBe(201);
  return body.agent_id;
}
const setAgent = (agentId: string, change: object) =>
  stand.deps.db.updateTable('agents').set(change).where('agent_id', '=', agentId).execute();
/** Moves the time since which it waits into the past. */
const ageBy = (taskId: string, seconds: number) =>
  sql`UPDATE tasks SET stranded_at = stranded_at - make_interval(secs => ${seconds}) WHERE task_id = ${taskId}`.execute(
    stand.deps.db,
  );
const detail = async (taskId: string) => (await developer.call('GET', `/api/v1/tasks/${taskId}/detail`)).body;
const view = async (taskId: string) => (await developer.call('GET', `/api/v1/tasks/${taskId}`)).body;
const look = () => lookAtStranded(stand.deps, true);

describe('an auto task that the built-in executor cannot do', () => {
  test('waits for an agent that is away, says so, and goes to it when it is back', async () => {
    const remote = await pushAgent(() => ({ status: 200, body: { done: true } }));
    try {
      const agentId = await register(developer, { endpoints: remote.endpoints });
      await setAgent(agentId, { status: 'offline' });
      const id = await stand.submit(developer, ODD);
      expect(await detail(id)).toMatchObject({ status: 'pending', waits_for_agent: null, queue_position: 1 });
      expect(await look()).toBe(0);
      const waiting = await detail(id);
      expect(waiting).toMatchObject({ status: 'pending', waits_for_agent: { reason: 'question is not known here' } });
      const { since, until } = waiting.waits_for_agent;
      expect(Date.parse(until) - Date.parse(since)).toBe(60_000);
      const line = (await view(id)).logs.at(-1).message;
      expect(line).toBe(
        `Waiting for an agent until ${until}: none that could do it is at work, and the built-in executor cannot: question is not known here`,
      );
      await developer.call('POST', `/api/v1/agents/${agentId}/heartbeat`, { current_load: 0 });
      expect(await stand.untilStatus(developer, id, 'completed')).toMatchObject({
        result: { done: true },
        waits_for_agent: null,
      });
    } finally {
      await remote.close();
    }
  });

  test('waits when the agent that had it died, also one that is deleted by then', async () => {
    const agent = await stand.agent({ name: 'dies', capabilities: ['processing'] });
    const id = await stand.submit(developer, ODD);
    expect(await agent.claim()).toHaveLength(1);
    await admin.call('DELETE', `/api/v1/agents/${agent.id}`);
    await stand.until(developer, id, ({ lost }) => lost === 1);
    await look();
    expect(await detail(id)).toMatchObject({ status: 'retrying', waits_for_agent: { since: expect.any(String) } });
    const next = await stand.agent({ name: 'comes', capabilities: ['processing'] });
    expect(await next.claim()).toMatchObject([{ task_id: id, attempt: 2 }]);
    expect(await detail(id)).toMatchObject({ status: 'running', waits_for_agent: null });
    // Otherwise its next wait would be over before it began.
    const row = await stand.deps.db.selectFrom('tasks').select('stranded_at').executeTakeFirstOrThrow();
    expect(row.stranded_at).toBeNull();
  });

  test('fails when none has come for as long as an attempt may take, and can be tried again', async () => {
    const agentId = await register(developer);
    await setAgent(agentId, { status: 'offline' });
    const id = await stand.submit(developer, ODD);
    await look();
    await ageBy(id, 59);
    expect(await look()).toBe(0);
    await ageBy(id, 2);
    expect(await lookAtStranded(stand.deps, false)).toBe(0);
    expect(await look()).toBe(1);
    const failed = await stand.untilStatus(developer, id, 'failed');
    expect(failed.error).toEqual({
      code: 'no_agent',
      detail:
        'No agent that could do it was there for 60 seconds, and the built-in executor cannot: question is not known here',
    });
    await expect
      .poll(async () => (await stand.deps.temporal.workflow.getHandle(id).describe()).status.name)
      .toBe('FAILED');
    expect((await developer.call('POST', `/api/v1/tasks/${id}/retry`)).status).toBe(202);
    expect(await look()).toBe(0);
    expect(await detail(id)).toMatchObject({ status: 'pending', error: null });
  });

  test('is not failed once an agent is at work, however busy, and waits its whole time again when that goes', async () => {
    const agentId = await register(developer);
    await setAgent(agentId, { status: 'offline' });
    const id = await stand.submit(developer, ODD);
    await look();
    await ageBy(id, 61);
    expect(await overdueTasks(stand.deps.db, 10)).toMatchObject([{ task_id: id }]);
    await setAgent(agentId, { status: 'active' });
    // Also when it came between the two looks.
    expect(await overdueTasks(stand.deps.db, 10)).toEqual([]);
    expect(await look()).toBe(0);
    expect((await detail(id)).waits_for_agent).toBeNull();
    await setAgent(agentId, { status: 'unhealthy' });
    expect(await look()).toBe(0);
    expect((await detail(id)).waits_for_agent).not.toBeNull();
  });

  test('is told at once what it lacks where no agent ever fitted, or only those of others', async () => {
    const theirs = await register(await stand.caller('developer'));
    await setAgent(theirs, { status: 'offline' });
    const id = await stand.submit(developer, { ...ODD, payload: { sql: 'SELECT * FROM input' } });
    expect(await stand.untilStatus(developer, id, 'failed')).toMatchObject({
      error: { detail: expect.stringContaining('data_source') },
    });
  });
});

test('an auto task that the built-in executor can do does not wait for agents that are away', async () => {
  const agentId = await register(developer);
  await setAgent(agentId, { status: 'offline' });
  const id = await stand.submit(developer, { type: 'data-ingestion', payload: { rows: [{ a: 1 }] } });
  expect(await stand.untilStatus(developer, id, 'completed')).toMatchObject({ attempts: [{ executor: 'builtin' }] });
});

describe('a task that names an agent', () => {
  test('must name one that its submitter may use', async () => {
    const [own, shared] = [await register(developer), await register(admin)];
    const theirs = await register(await stand.caller('developer'));
    const [operator, analyst] = [await stand.caller('operator'), await stand.caller('analyst')];
    const granted = await stand.caller('analyst', [{ resource: `agent:${theirs}`, access: 'write' }]);
    const reader = await stand.caller('analyst', [{ resource: `agent:${theirs}`, access: 'read' }]);
    const answer = async (by: Caller, agent_id: string, over: object = {}) => {
      const { status, body } = await by.call('POST', '/api/v1/tasks', { ...ODD, agent_id, ...over });
      return status === 202 ? status : [status, body.code, body.errors?.[0]?.path ?? null];
    };
    for (const [by, agent] of [
      [developer, own],
      [developer, shared],
      [analyst, shared],
      [granted, theirs],
      [admin, own],
      [admin, theirs],
    ] as const) {
      expect(await answer(by, agent)).toBe(202);
    }
    const unknown = [400, 'invalid_input', 'agent_id'];
    expect(await answer(developer, theirs)).toEqual(unknown);
    expect(await answer(analyst, own)).toEqual(unknown);
    expect(await answer(developer, '00000000-0000-4000-8000-000000000000')).toEqual(unknown);
    expect(await answer(operator, own)).toEqual([403, 'forbidden', null]);
    expect(await answer(reader, theirs)).toEqual([403, 'forbidden', null]);
    expect(await answer(developer, own, { executor: 'builtin' })).toEqual(unknown);
    expect(await answer(developer, own, { capabilities: ['x'] })).toEqual(unknown);
  });

  test('fails when that is not registered any more', async () => {
    const agentId = await register(developer);
    const id = await stand.submit(developer, { ...ODD, agent_id: agentId });
    expect(await look()).toBe(0);
    expect(await detail(id)).toMatchObject({ status: 'pending', agent_id: agentId, executor: 'agent' });
    await developer.call('DELETE', `/api/v1/agents/${agentId}`);
    expect(await look()).toBe(1);
    expect(await stand.untilStatus(developer, id, 'failed')).toMatchObject({
      error: { code: 'no_agent', detail: `Agent ${agentId}, which it names, is not registered any more` },
    });
  });
});

test('the watch ends what has waited long enough, once it has left agents the time to come back', async () => {
  const agentId = await register(developer);
  await setAgent(agentId, { status: 'offline', last_heartbeat: new Date(0) });
  const id = await stand.submit(developer, ODD);
  await look();
  await ageBy(id, 61);
  const watch = createAgentWatch(stand.deps);
  expect(await watch.round()).toMatchObject({ closed: 0 });
  await expect.poll(async () => (await watch.round()).closed, { timeout: 10_000, interval: 200 }).toBe(1);
  expect(await detail(id)).toMatchObject({ status: 'failed', error: { code: 'no_agent' } });
});
