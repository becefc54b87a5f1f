/** The watch over agents that are processes of their own: they die, fall silent, come back, drain, and answer or not. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createApi } from '../../../src/api/app.ts';
import { listen, type RunningServer } from '../../../src/api/server.ts';
import { agentOperations } from '../../../src/operations/agents/index.ts';
import type { AgentStatus } from '../../../src/schema/names.ts';
import { createAgentWatch } from '../../../src/services/agents/watch.ts';
import { type AgentProcess, startAgent } from '../../support/agents.ts';
import { door, makeKey } from '../api/stand.ts';
import { putAgent, putRunningTask } from './rows.ts';
import { type AgentStand, caller, openAgentStand } from './stand.ts';

let stand: AgentStand;
let server: RunningServer;
let key: string;
/** What workflows were told. */
let told: { workflow: string; signal: string; input: unknown }[] = [];
let started: AgentProcess[] = [];

beforeAll(async () => {
  const workflow = {
    getHandle: (id: string) => ({
      signal: async (signal: string, input: unknown) => void told.push({ workflow: id, signal, input }),
    }),
  };
  const schedule = { getHandle: () => ({ trigger: async () => undefined }) };
  stand = await openAgentStand(
    { AGENT_HEARTBEAT_SECONDS: '1', EGRESS_ALLOW: '127.0.0.1', RATE_LIMIT_AGENT: '0' },
    { temporal: { workflow, schedule, withDeadline: (_at: number, act: () => unknown) => act() } as never },
  );
  server = await listen(createApi({ ...door(stand.deps), operations: agentOperations }), {
    port: 0,
    hostname: '127.0.0.1',
  });
  key = (await makeKey(stand.deps, 'developer', { principal_id: 'ana' })).key;
});
afterAll(async () => {
  await server?.drain(0);
  await stand?.close();
});
beforeEach(async () => {
  told = [];
  for (const table of ['tasks', 'agents', 'event_log']) {
    await sql`DELETE FROM ${sql.table(table)}`.execute(stand.deps.db);
  }
});
afterEach(async () => {
  await Promise.all(started.map((agent) => agent.kill()));
  started = [];
});

async function start(name: string, ...options: string[]): Promise<AgentProcess> {
  const agent = await startAgent({ url: `http://127.0.0.1:${server.port}`, key }, name, options);
  started.push(agent);
  return agent;
}

const row = (agentId: string) =>
  stand.deps.db.selectFrom('agents').selectAll().where('agent_id', '=', agentId).executeTakeFirstOrThrow();

/** Statuses in the order in which they were told. */
async function toldOf(agentId: string): Promise<string[]> {
  const events = await stand.deps.db
    .selectFrom('event_log')
    .select('data')
    .where('resource', '=', `agent:${agentId}`)
    .orderBy('seq')
    .execute();
  const statuses = events.map((event) => String((event.data as { status: AgentStatus }).status));
  return statuses.filter((status, n) => status !== statuses[n - 1]);
}

/** Rounds, as the activity makes them, until this holds. */
async function watchUntil(holds: () => Promise<boolean>, watch = createAgentWatch(stand.deps)): Promise<void> {
  const until = Date.now() + 30_000;
  for (;;) {
    await watch.round();
    if (await holds()) return;
    if (Date.now() > until) throw new Error('it never came to that');
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}
const is = (agentId: string, status: AgentStatus) => async () => (await row(agentId)).status === status;

/** Moves the agent's signs of life into the past. */
const ageBy = (agentId: string, seconds: number) =>
  sql`UPDATE agents SET last_heartbeat = last_heartbeat - make_interval(secs => ${seconds}),
    answered_at = answered_at - make_interval(secs => ${seconds}) WHERE agent_id = ${agentId}`.execute(stand.deps.db);

test('one that dies goes through every status to offline, its tasks are told, and it comes back under its name', async () => {
  const [dying, living] = await Promise.all([start('dying'), start('living')]);
  const task = await putRunningTask(stand.deps.db, dying.agentId);
  await putRunningTask(stand.deps.db, living.agentId);
  await watchUntil(async () => (await row(dying.agentId)).beats && (await row(living.agentId)).beats);
  await dying.kill();
  await watchUntil(is(dying.agentId, 'offline'));
  expect((await toldOf(dying.agentId)).indexOf('offline')).toBe((await toldOf(dying.agentId)).length - 1);
  expect(told).toContainEqual({ workflow: `task-${task}`, signal: 'agentLost', input: { attempt: 1 } });
  expect(new Set(told.map(({ workflow }) => workflow))).toEqual(new Set([`task-${task}`]));
  // Told again while it is not done, and no event for what is known.
  const before = told.length;
  await createAgentWatch(stand.deps).round();
  expect(told.length).toBe(before + 1);
  expect(await toldOf(living.agentId)).not.toContain('offline');
  const again = await start('dying');
  expect(again.agentId).toBe(dying.agentId);
  expect((await row(dying.agentId)).status).toBe('active');
  expect((await toldOf(dying.agentId)).at(-1)).toBe('active');
});

test('a process that takes the name over ends the tasks of the one before, whose token has ended', async () => {
  const first = await start('twice');
  const task = await putRunningTask(stand.deps.db, first.agentId);
  const second = await start('twice');
  expect(second.agentId).toBe(first.agentId);
  expect(told).toEqual([{ workflow: `task-${task}`, signal: 'agentLost', input: { attempt: 1 } }]);
});

test('one that never heartbeats lives by its health endpoint, and is gone with it', async () => {
  const agent = await start('quiet', '--mode', 'push', '--no-heartbeat');
  await ageBy(agent.agentId, 3_600);
  await watchUntil(async () => (await row(agent.agentId)).health?.ok === true);
  expect(await row(agent.agentId)).toMatchObject({ status: 'active', beats: false, health: { failures: 0 } });
  await agent.kill();
  await watchUntil(is(agent.agentId, 'offline'));
  const { health } = await row(agent.agentId);
  expect(health?.ok).toBe(false);
  expect(health?.failures).toBeGreaterThanOrEqual(1);
  expect((await toldOf(agent.agentId))[0]).toBe('active');
});

/** A house whose agents heartbeat so seldom that a test is over in between: what is missed is what the test takes away. */
const patient = () => ({ ...stand.deps, config: { ...stand.deps.config, AGENT_HEARTBEAT_SECONDS: 600 } });

test('every status on the way to offline and back is told once', async () => {
  const agentId = await putAgent(stand.deps.db, { beats: true });
  const task = await putRunningTask(stand.deps.db, agentId);
  const look = async () => {
    for (let n = 0; n < 3; n++) await createAgentWatch(patient()).round();
    return (await row(agentId)).status;
  };
  const seen = [];
  for (let missed = 0; missed < 4; missed++) {
    seen.push(await look());
    await ageBy(agentId, 600);
  }
  expect(seen).toEqual(['active', 'active', 'degraded', 'unhealthy']);
  expect(told).toEqual([]);
  // The fourth is forgiven by a watch that has just begun, and not by one that saw it coming.
  expect(await look()).toBe('unhealthy');
  await stand.deps.db.updateTable('agents').set({ status: 'offline' }).execute();
  expect(await look()).toBe('offline');
  expect(told).toContainEqual({ workflow: `task-${task}`, signal: 'agentLost', input: { attempt: 1 } });
  await stand.as(caller('dev'))('heartbeat', { agent_id: agentId, current_load: 0 });
  expect(await toldOf(agentId)).toEqual(['degraded', 'unhealthy', 'active']);
});

test('one that drains on SIGTERM is draining until it is back', async () => {
  const agent = await start('leaving', '--mode', 'push');
  expect(await agent.stop()).toBe(0);
  expect((await row(agent.agentId)).status).toBe('draining');
  await start('leaving', '--mode', 'push');
  expect(await row(agent.agentId)).toMatchObject({ status: 'active', draining: false });
});

test('health that fails and recovers shows in the status', async () => {
  let code = 500;
  const health: Server = createServer((_request, response) => response.writeHead(code).end()).listen(0, '127.0.0.1');
  await once(health, 'listening');
  try {
    const { port } = health.address() as AddressInfo;
    const { agent_id } = await stand.as(caller('ana'))('register', {
      name: 'shaky',
      endpoints: { health: `http://127.0.0.1:${port}/` },
    });
    const watch = createAgentWatch(patient());
    await watchUntil(is(agent_id, 'unhealthy'), watch);
    expect((await row(agent_id)).health).toMatchObject({ ok: false, failures: 3 });
    code = 204;
    await watchUntil(is(agent_id, 'active'), watch);
    expect(await toldOf(agent_id)).toEqual(['active', 'degraded', 'unhealthy', 'active']);
  } finally {
    health.closeAllConnections();
    health.close();
  }
});

test('after everything was down nobody is called offline before the living had time for a heartbeat', async () => {
  const [dead, alive] = [
    await putAgent(stand.deps.db, { name: 'dead' }),
    await putAgent(stand.deps.db, { name: 'alive' }),
  ];
  await stand.deps.db
    .updateTable('agents')
    .set({ beats: true, last_heartbeat: new Date(0) })
    .execute();
  const watch = createAgentWatch(stand.deps);
  await watch.round();
  expect([(await row(dead)).status, (await row(alive)).status]).toEqual(['unhealthy', 'unhealthy']);
  await stand.as(caller('dev'))('heartbeat', { agent_id: alive, current_load: 0 });
  const beating = setInterval(() => {
    void stand.as(caller('dev'))('heartbeat', { agent_id: alive, current_load: 0 });
  }, 300);
  try {
    await watchUntil(is(dead, 'offline'), watch);
  } finally {
    clearInterval(beating);
  }
  expect((await toldOf(alive)).slice(0, 2)).toEqual(['unhealthy', 'active']);
  expect(await toldOf(alive)).not.toContain('offline');
});

test('two watches at once make each change once, and fifty hung health endpoints are asked side by side, after what cannot wait', async () => {
  let open = 0;
  let most = 0;
  /** How many tasks had been told when the first health endpoint was asked. */
  let before: number | undefined;
  const hung: Server = createServer((request) => {
    before ??= told.length;
    most = Math.max(most, ++open);
    request.on('close', () => --open);
  }).listen(0, '127.0.0.1');
  await once(hung, 'listening');
  try {
    const { port } = hung.address() as AddressInfo;
    const endpoints = { health: `http://127.0.0.1:${port}/` };
    await Promise.all(Array.from({ length: 50 }, (_, n) => putAgent(stand.deps.db, { name: `hung-${n}`, endpoints })));
    const gone = await putAgent(stand.deps.db, { name: 'gone', status: 'offline', last_heartbeat: new Date(0) });
    await putRunningTask(stand.deps.db, gone);
    await Promise.all([createAgentWatch(patient()).round(), createAgentWatch(patient()).round()]);
    expect(before).toBeGreaterThanOrEqual(1);
    expect(most).toBeGreaterThanOrEqual(50);
    const rows = await stand.deps.db.selectFrom('agents').selectAll().where('agent_id', '<>', gone).execute();
    expect(new Set(rows.map(({ health }) => health?.failures))).toEqual(new Set([1]));
    const events = await stand.deps.db.selectFrom('event_log').select('resource').execute();
    expect(events).toHaveLength(50);
  } finally {
    hung.closeAllConnections();
    hung.close();
  }
});

test('tasks of a deleted agent are told too, also when nobody was there to tell them at once', async () => {
  const { agent_id } = await stand.as(caller('ana'))('register', { name: randomUUID() });
  const task = await putRunningTask(stand.deps.db, agent_id);
  await stand.as(caller('ana'))('delete', { agent_id });
  await createAgentWatch(stand.deps).round();
  const word = { workflow: `task-${task}`, signal: 'agentLost', input: { attempt: 1 } };
  expect(told).toEqual([word, word]);
});

test('a load that crept up is told by the next round', async () => {
  const { agent_id } = await stand.as(caller('ana'))('register', { name: randomUUID() });
  for (const current_load of [0.2, 0.4, 0.6]) await stand.as(caller('ana'))('heartbeat', { agent_id, current_load });
  // Nothing else is to happen to it meanwhile.
  await ageBy(agent_id, -3_600);
  await watchUntil(async () => (await row(agent_id)).told_load === 0.6);
  expect(await toldOf(agent_id)).toEqual(['active']);
});
