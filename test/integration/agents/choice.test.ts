/** Who is chosen for a task: capabilities, types, room, load, those that tried before, and chance. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TaskType } from '../../../src/schema/names.ts';
import { sizeOf } from '../../../src/stores/agent-load.ts';
import { type AgentNeed, chooseAgent, fits, mayDoTask, needOfTask } from '../../../src/stores/agents.ts';
import { type Database, openDatabase } from '../../../src/stores/database.ts';
import { keepWaiting, stopWaiting } from '../../../src/stores/task-claims.ts';
import { type TestStack, testStack } from '../../support/stack.ts';
import { putAgent, putRunningTask } from './rows.ts';

let stack: TestStack;
let database: Database;
beforeAll(async () => {
  stack = await testStack();
  database = openDatabase(stack.databaseUrl, { max: 4 });
});
afterAll(async () => {
  await database?.close();
  await stack?.close();
});
beforeEach(async () => {
  await sql`DELETE FROM tasks`.execute(database.db);
  await sql`DELETE FROM agents`.execute(database.db);
});

const need = (over: Partial<AgentNeed> = {}): AgentNeed => ({
  owner: 'dev',
  wanted: null,
  type: 'processing',
  capabilities: [],
  exclude: [],
  ...over,
});
const choose = async (over: Partial<AgentNeed> = {}) => (await chooseAgent(database.db, need(over)))?.agent_id ?? null;
const put = (agent: Parameters<typeof putAgent>[1] = {}) => putAgent(database.db, agent);

describe('what an agent can do', () => {
  type Case = [string, string[], Partial<AgentNeed>, boolean];
  const cases: Case[] = [
    ['worker', ['a', 'b', 'c'], { capabilities: ['a', 'c'] }, true],
    ['worker', ['a'], { capabilities: ['a', 'c'] }, false],
    ['worker', ['task-execution'], { capabilities: ['a'] }, false],
    ['worker', ['task-execution'], {}, true],
    ['worker', ['data-processing'], {}, true],
    ['worker', ['data-processing'], { type: 'analysis' }, false],
    ['worker', ['data-analysis'], { type: 'analysis' }, true],
    ['worker', ['output-generation'], { type: 'output' }, true],
    ['worker', ['output'], { type: 'output' }, true],
    ['worker', [], {}, false],
    ['orchestrator', ['task-execution'], {}, false],
    ['orchestrator', ['a', 'task-execution'], { capabilities: ['a'] }, false],
    ['orchestrator', ['a'], { capabilities: ['a', 'orchestration'] }, true],
    ['orchestrator', [], { capabilities: ['orchestration'] }, true],
    ['worker', ['a'], { capabilities: ['a', 'orchestration'] }, false],
    ['worker', ['orchestration'], { capabilities: ['orchestration'] }, true],
    ['validator', [], { type: 'validation' }, true],
    ['validator', ['task-execution'], { type: 'analysis' }, false],
    ['validator', ['data-analysis'], { type: 'analysis' }, true],
    ['validator', ['a'], { capabilities: ['a'] }, true],
    ['validator', ['a'], { capabilities: ['a', 'validation'], type: 'validation' }, true],
  ];
  test.each(cases)('a %s with %j for %j: %s', async (type, capabilities, wanted, expected) => {
    const agent = await put({ type: type as 'worker', capabilities });
    expect(await choose(wanted)).toBe(expected ? agent : null);
    expect(await fits(database.db, need(wanted))).toBe(expected);
  });

  test('every type of task has its words', async () => {
    for (const type of ['data-ingestion', 'transformation', 'analysis', 'validation', 'processing', 'output']) {
      const agent = await put({ capabilities: [type], name: type });
      expect(await choose({ type: type as TaskType })).toBe(agent);
    }
  });
});

describe('who is there', () => {
  test('unhealthy, offline, draining and deleted ones get nothing', async () => {
    await put({ status: 'unhealthy' });
    await put({ status: 'offline' });
    await put({ status: 'draining', draining: true });
    await put({ draining: true });
    await put({ deleted_at: new Date() });
    expect(await choose()).toBeNull();
    expect(await fits(database.db, need())).toBe(false);
  });

  test('degraded ones only when no active one has room', async () => {
    const degraded = await put({ status: 'degraded' });
    expect(await choose()).toBe(degraded);
    const active = await put({ current_load: 0.9 });
    expect(await choose()).toBe(active);
    await putRunningTask(database.db, active);
    expect(await choose()).toBe(degraded);
  });

  test('pulling ones compete while they wait in a claim, for as many tasks as that takes', async () => {
    const pushed = await put({ current_load: 0.9 });
    const pulling = await put({ endpoints: {}, resources: { cpu: 64 }, max_concurrency: 3 });
    expect(await choose()).toBe(pushed);
    await keepWaiting(database.db, pulling, 2);
    expect(await choose()).toBe(pulling);
    const offered = (tasks: number) => new Map([[pulling, tasks]]);
    expect((await chooseAgent(database.db, need(), offered(1)))?.agent_id).toBe(pulling);
    expect((await chooseAgent(database.db, need(), offered(2)))?.agent_id).toBe(pushed);
    // Two of its three places are taken: one is left, whatever the claim asks for.
    for (let n = 0; n < 2; n++) await putRunningTask(database.db, pulling);
    expect((await chooseAgent(database.db, need(), offered(0)))?.agent_id).toBe(pulling);
    expect((await chooseAgent(database.db, need(), offered(1)))?.agent_id).toBe(pushed);
    await stopWaiting(database.db, pulling);
    expect(await choose()).toBe(pushed);
    // One that was cut off while it waited is forgotten by itself.
    await database.db.updateTable('agents').set({ waiting_until: new Date() }).execute();
    expect(await choose()).toBe(pushed);
  });

  test('pulling ones that do not wait are never handed a task, and yet count as able', async () => {
    await put({ endpoints: { health: 'http://agent.test/health' } });
    expect(await choose()).toBeNull();
    expect(await fits(database.db, need())).toBe(true);
  });

  test('the way to work follows from the endpoints, and the choice says what a call needs', async () => {
    const agent = await put({ endpoints: { mcp: 'http://agent.test/mcp' }, max_concurrency: 3, credential: 'token' });
    await putRunningTask(database.db, agent);
    expect(await chooseAgent(database.db, need())).toEqual({
      agent_id: agent,
      owner: 'dev',
      name: `agent-${agent.slice(0, 8)}`,
      mode: 'mcp',
      endpoints: { mcp: 'http://agent.test/mcp' },
      credential: 'token',
      max_concurrency: 3,
      free: 2,
    });
  });
});

describe('load', () => {
  test('nobody gets more than max_concurrency', async () => {
    const agent = await put({ max_concurrency: 2 });
    await putRunningTask(database.db, agent);
    expect(await choose()).toBe(agent);
    await putRunningTask(database.db, agent);
    expect(await choose()).toBeNull();
    expect(await fits(database.db, need())).toBe(true);
  });

  type Side = { running: number; current_load: number; max_concurrency: number; resources?: object };
  const half = (resources: object): Side => ({ running: 0, current_load: 0.5, max_concurrency: 4, resources });
  const pairs: [string, Side, Side][] = [
    [
      'fewer of its places taken',
      { running: 1, current_load: 0, max_concurrency: 4 },
      { running: 2, current_load: 0, max_concurrency: 4 },
    ],
    [
      'the lesser load of its own',
      { running: 0, current_load: 0.2, max_concurrency: 4 },
      { running: 0, current_load: 0.8, max_concurrency: 4 },
    ],
    [
      'more processors',
      { running: 2, current_load: 0, max_concurrency: 8, resources: { cpu: 8 } },
      { running: 1, current_load: 0, max_concurrency: 8, resources: { cpu: 1 } },
    ],
    [
      'more places',
      { running: 2, current_load: 0, max_concurrency: 16 },
      { running: 1, current_load: 0, max_concurrency: 2 },
    ],
    ['more memory', half({ memory: '64GB' }), half({ memory: '8GB' })],
    ['more memory for as many processors', half({ cpu: 4, memory: '32GB' }), half({ cpu: 4, memory: '8GB' })],
    ['as many processors and all the memory that goes with them', half({ cpu: 8 }), half({ cpu: 8, memory: '8GB' })],
    ['a GPU', half({ cpu: 4, gpu: true }), half({ cpu: 4, gpu: false })],
    ['more GPUs', half({ cpu: 4, gpu: 4 }), half({ cpu: 4, gpu: 1 })],
    ['memory in larger units', half({ memory: '1TB' }), half({ memory: '512GB' })],
    ['memory in binary units', half({ memory: '8GiB' }), half({ memory: '8GB' })],
    ['memory in plain bytes', half({ memory: '16000000000' }), half({ memory: '8GB' })],
  ];
  test.each(pairs)('the one with %s', async (_name, better, worse) => {
    const ids = [];
    for (const { running, ...side } of [worse, better]) {
      const id = await put(side);
      for (let n = 0; n < running; n++) await putRunningTask(database.db, id);
      ids.push(id);
    }
    expect(await choose()).toBe(ids[1]);
  });

  type Told = [object, number];
  const sizes: Told[] = [
    [{}, 1],
    [{ cpu: 4 }, 4],
    [{ memory: '8GB' }, 2],
    [{ cpu: 4, memory: '8GB' }, 3],
    [{ cpu: 4, memory: '8GB', gpu: true }, 7],
    [{ gpu: 2 }, 9],
    [{ memory: '4 gb' }, 1],
    [{ memory: '4.5G' }, 1.125],
    [{ memory: '8GiB' }, 2 ** 33 / 4e9],
    [{ memory: '2000000K' }, 0.5],
    [{ memory: '1.5TB' }, 375],
    [{ memory: '1PiB' }, 2 ** 50 / 4e9],
    [{ memory: '0GB', cpu: 0 }, 0.01],
    [{ memory: 'much', cpu: 'many', gpu: 'yes' }, 1],
    [{ memory: 64, cpu: null }, 1],
    [{ memory: null, gpu: -3 }, 1],
  ];
  test.each(sizes)('%j are as much as %d processors', async (resources, size) => {
    const id = await put({ resources });
    const found = await sql<{ size: number }>`SELECT ${sizeOf('a')}::float8 AS size FROM agents a
      WHERE a.agent_id = ${id}`.execute(database.db);
    expect(found.rows[0]?.size).toBeCloseTo(size, 9);
  });

  test('resources that are no number of processors count as one', async () => {
    await put({ resources: { cpu: 'many' }, current_load: 0.5 });
    const idle = await put({ resources: { cpu: 0 }, current_load: 0 });
    expect(await choose()).toBe(idle);
  });

  test('ties fall by chance, each about as often', async () => {
    const counts = new Map<string, number>();
    for (let n = 0; n < 4; n++) counts.set(await put(), 0);
    const rounds = 800;
    for (let n = 0; n < rounds; n++) {
      const id = (await choose()) ?? '';
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect(counts.size).toBe(4);
    // 200 are to be expected of each; 7 standard deviations (12.2) either way are less likely than 1 in 10^11.
    for (const count of counts.values()) expect(Math.abs(count - rounds / 4)).toBeLessThan(86);
  });
});

describe('those that tried before', () => {
  test('come again only when nobody else could do it, though somebody else may be busy now', async () => {
    const tried = await put();
    expect(await choose({ exclude: [tried] })).toBe(tried);
    const other = await put();
    expect(await choose({ exclude: [tried] })).toBe(other);
    await putRunningTask(database.db, other);
    expect(await choose({ exclude: [tried] })).toBeNull();
    expect(await choose({ exclude: [tried, other] })).toBe(tried);
    await database.db.updateTable('agents').set({ status: 'offline' }).where('agent_id', '=', other).execute();
    expect(await choose({ exclude: [tried] })).toBe(tried);
  });

  test('a validator goes first for validation, if it has room', async () => {
    const worker = await put();
    const validator = await put({ type: 'validator', capabilities: [], current_load: 0.9 });
    expect(await choose({ type: 'validation' })).toBe(validator);
    expect(await choose({ type: 'validation', exclude: [validator] })).toBe(worker);
    await putRunningTask(database.db, validator);
    expect(await choose({ type: 'validation' })).toBe(worker);
  });
});

test('joins with tasks in a query, for those who claim', async () => {
  const pulling = await put({ endpoints: {}, capabilities: ['data-processing'] });
  const tasks: string[] = [];
  for (const [type, capabilities, excluded] of [
    ['processing', [], []],
    ['analysis', [], []],
    ['analysis', ['data-processing'], []],
    ['processing', [], [pulling]],
  ] as const) {
    const id = await putRunningTask(database.db, pulling);
    await database.db
      .updateTable('tasks')
      .set({ type, capabilities: [...capabilities], excluded_agents: [...excluded] })
      .where('task_id', '=', id)
      .execute();
    tasks.push(id);
  }
  const claimable = async () => {
    const found = await sql<{ task_id: string }>`SELECT tasks.task_id FROM tasks JOIN agents
      ON agents.agent_id = ${pulling} AND ${mayDoTask('agents', needOfTask('tasks'))}`.execute(database.db);
    return found.rows.map((row) => tasks.indexOf(row.task_id)).sort();
  };
  expect(await claimable()).toEqual([0, 2, 3]);
  await put();
  expect(await claimable()).toEqual([0, 2]);
});
