/** Registration and what follows: names, tokens, limits, addresses, lists, and who may do what. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createEgress } from '../../../src/clients/egress.ts';
import { hashSecret } from '../../../src/services/access/secrets.ts';
import { findKeyByHash } from '../../../src/stores/keys.ts';
import { putRunningTask } from './rows.ts';
import { type AgentStand, caller, itself, openAgentStand } from './stand.ts';

const SEED = {
  name: 'agent-name',
  type: 'worker',
  capabilities: ['task-execution', 'data-processing'],
  endpoints: {
    task: 'http://agent.invalid:8080/task',
    status: 'http://agent.invalid:8080/status',
    health: 'http://agent.invalid:8080/health',
  },
  resources: { cpu: 4, memory: '8GB', gpu: true },
};

let stand: AgentStand;
beforeAll(async () => {
  stand = await openAgentStand({ MAX_AGENTS: '5' });
});
afterAll(() => stand?.close());
beforeEach(async () => {
  for (const table of ['tasks', 'agents', 'event_log', 'api_keys']) {
    await sql`DELETE FROM ${sql.table(table)}`.execute(stand.deps.db);
  }
});

const ana = caller('ana');
const ben = caller('ben');
const root = caller('root', 'admin');
const viewer = caller('vera', 'viewer');
const register = (over: object = {}, by = ana) => stand.as(by)('register', { name: randomUUID(), ...over });
const alive = async (token: string) => (await findKeyByHash(stand.deps.db, hashSecret(token)))?.revoked_at === null;
const events = async () =>
  (await stand.deps.db.selectFrom('event_log').selectAll().orderBy('seq').execute()).map(
    ({ name, owner, resource, data }) => ({
      name,
      owner,
      resource,
      data,
    }),
  );

describe('register', () => {
  test('takes the body of the seed and answers with a token that is stored as a hash', async () => {
    const answer = await register(SEED);
    expect(answer).toEqual({
      agent_id: expect.any(String),
      token: expect.stringMatching(/^osta_/),
      heartbeat_interval_seconds: 10,
      created: true,
    });
    const key = await findKeyByHash(stand.deps.db, hashSecret(answer.token));
    expect(key).toMatchObject({ role: 'agent', principal_id: answer.agent_id, created_by: 'ana' });
    expect(await stand.as(ana)('get', { agent_id: answer.agent_id })).toMatchObject({
      id: answer.agent_id,
      owner: 'ana',
      name: 'agent-name',
      type: 'worker',
      status: 'active',
      mode: 'push',
      endpoints: SEED.endpoints,
      resources: SEED.resources,
      max_concurrency: 1,
      labels: {},
      running_tasks: 0,
    });
    expect(await events()).toEqual([
      {
        name: 'agent.updated',
        owner: 'ana',
        resource: `agent:${answer.agent_id}`,
        data: { agent_id: answer.agent_id, status: 'active', current_load: 0, timestamp: expect.any(String) },
      },
    ]);
  });

  test.each([
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(101) }, 'name'],
    [{ name: 'a\u0000b' }, 'name'],
    [{ name: 'a\ud800b' }, 'name'],
    [{ labels: { a: '\u0000' } }, 'labels'],
    [{ resources: { disk: '\u0000' } }, 'resources'],
    [{ resources: { 'a\u0000': 1 } }, 'resources'],
    [{ credential: '\u0000' }, 'credential'],
    [{ endpoints: { task: 'http://a.invalid/\u0000' } }, 'endpoints.task'],
    [{ type: 'boss' }, 'type'],
    [{ capabilities: ['a b'] }, 'capabilities.0'],
    [{ endpoints: { task: 'ftp://a.example/x' } }, 'endpoints.task'],
    [{ endpoints: { health: 'nonsense' } }, 'endpoints.health'],
    [{ resources: { cpu: 0 } }, 'resources.cpu'],
    [{ resources: { memory: 'lots' } }, 'resources.memory'],
    [{ max_concurrency: 0 }, 'max_concurrency'],
    [{ labels: { a: 1 } }, 'labels.a'],
    [{ credential: 'unknown' }, 'credential'],
  ])('refuses %j and says where', async (over, path) => {
    const answer = await register(over);
    expect(answer.code).toBe('invalid_input');
    expect(answer.faults.map((fault: { path: string }) => fault.path)).toEqual([path]);
  });

  test('by its own token: updates, and the token stays', async () => {
    const first = await register({ name: 'mine', capabilities: ['a'] });
    const again = await stand.as(itself(first.agent_id))('register', { name: 'mine', capabilities: ['b', 'b', 'c'] });
    expect(again).toEqual({ ...first, token: null, created: false });
    expect(await alive(first.token)).toBe(true);
    expect(await stand.as(ana)('get', { agent_id: first.agent_id })).toMatchObject({
      capabilities: ['b', 'c'],
      owner: 'ana',
    });
  });

  test('by whoever registered it: updates, ends the token and issues another', async () => {
    const first = await register({ name: 'mine', max_concurrency: 2 });
    const again = await register({ name: 'mine', max_concurrency: 3 });
    expect(again).toMatchObject({ agent_id: first.agent_id, created: false });
    expect([await alive(first.token), await alive(again.token)]).toEqual([false, true]);
    expect(await stand.as(ana)('get', { agent_id: first.agent_id })).toMatchObject({ max_concurrency: 3 });
  });

  test("with somebody else's name: conflict, for other people, other agents and administrators", async () => {
    const mine = await register({ name: 'mine' });
    const theirs = await register({ name: 'theirs' }, ben);
    for (const other of [ben, root, itself(theirs.agent_id)]) {
      expect(await register({ name: 'mine', capabilities: ['stolen'] }, other)).toMatchObject({ code: 'conflict' });
    }
    expect(await alive(mine.token)).toBe(true);
    expect((await stand.as(ana)('get', { agent_id: mine.agent_id })).capabilities).toEqual([]);
  });

  test("an agent's token makes no new agents", async () => {
    const mine = await register({ name: 'mine' });
    expect(await register({ name: 'another' }, itself(mine.agent_id))).toMatchObject({ code: 'forbidden' });
    expect(await register({ name: 'another' }, viewer)).toMatchObject({ code: 'forbidden' });
  });

  test('of the same name at once makes one agent, and one of its tokens is left', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => register({ name: 'same' })));
    expect(new Set(answers.map((answer) => answer.agent_id)).size).toBe(1);
    expect(answers.filter((answer) => answer.created)).toHaveLength(1);
    const left = await Promise.all(answers.map((answer) => alive(answer.token)));
    expect(left.filter(Boolean)).toHaveLength(1);
  });

  test('MAX_AGENTS holds when many come at once; a deleted one makes room, an update needs none', async () => {
    const answers = await Promise.all(Array.from({ length: 9 }, (_, n) => register({ name: `agent-${n}` })));
    expect(answers.filter((answer) => answer.created)).toHaveLength(5);
    expect(answers.filter((answer) => answer.code === 'agent_limit')).toHaveLength(4);
    const full = answers.findIndex((answer) => answer.created);
    expect(await register({ name: `agent-${full}` })).toMatchObject({ created: false });
    await stand.as(ana)('delete', { agent_id: answers[full].agent_id });
    expect(await register({ name: 'late' })).toMatchObject({ created: true });
    expect(await register({ name: 'later' })).toMatchObject({ code: 'agent_limit' });
  });

  test("an agent's token never sends its owner's credential elsewhere", async () => {
    await stand.deps.db
      .insertInto('outbound_credentials')
      .values({ owner: 'ana', name: 'key', kind: 'bearer', config: '{}', sealed: Buffer.from('x') as never })
      .execute();
    const endpoints = { task: 'https://a.invalid/task' };
    const { agent_id } = await register({ name: 'mine', endpoints, credential: 'key' });
    const me = itself(agent_id);
    expect(await register({ name: 'mine', endpoints, credential: 'other' }, me)).toMatchObject({ code: 'forbidden' });
    expect(await register({ name: 'mine', endpoints: { task: 'https://b.invalid/task' } }, me)).toMatchObject({
      code: 'forbidden',
    });
    expect(await register({ name: 'mine', endpoints: { task: 'https://a.invalid/other' } }, me)).toMatchObject({
      created: false,
    });
    expect(await stand.as(ana)('get', { agent_id })).toMatchObject({ credential: 'key' });
  });
});

describe('addresses', () => {
  test.each([
    'http://127.0.0.1:9/task',
    'http://localhost:9/task',
    'http://[::1]:9/task',
    'http://169.254.169.254/latest',
    'http://10.0.0.7/task',
    'http://192.168.1.1/task',
    'http://2130706433/task',
    'http://[::ffff:127.0.0.1]/task',
  ])('%s is refused, and the field is named', async (address) => {
    for (const field of ['task', 'status', 'health', 'mcp']) {
      const answer = await register({ endpoints: { [field]: address } });
      expect(answer.code).toBe('egress_denied');
      expect(answer.faults).toEqual([{ path: `endpoints.${field}`, message: expect.any(String) }]);
      expect(answer.detail).toMatch(new RegExp(`^endpoints.${field}: `));
    }
  });

  test('credentials in them are refused, every faulty one is named', async () => {
    const answer = await register({
      endpoints: { task: 'http://user:pass@a.invalid/', health: 'http://127.0.0.1/', status: 'http://a.invalid/' },
    });
    expect(answer.faults.map((fault: { path: string }) => fault.path)).toEqual(['endpoints.task', 'endpoints.health']);
    expect(JSON.stringify(answer)).not.toContain('pass@');
  });

  test('a name that leads to a private address is refused, one that nobody knows is not; EGRESS_ALLOW lists', async () => {
    const lookup = ((host: string, _options: object, callback: (error: unknown, found?: unknown) => void) =>
      host === 'unknown.test'
        ? callback(Object.assign(new Error('no such host'), { code: 'ENOTFOUND' }))
        : callback(null, [{ address: '10.1.2.3', family: 4 }])) as never;
    const check = (url: string, allow: string[] = []) =>
      createEgress({ allow, maxBytes: 1, timeoutMs: 1, lookup })
        .check(url)
        .then(
          () => 'fine',
          (error) => error.code,
        );
    expect(await check('http://inside.test/task')).toBe('egress_denied');
    expect(await check('http://unknown.test/task')).toBe('fine');
    expect(await check('http://inside.test/task', ['inside.test'])).toBe('fine');
    expect(await check('http://inside.test/task', ['10.0.0.0/8'])).toBe('fine');
    expect(await check('http://127.0.0.1:81/task', ['127.0.0.1:80'])).toBe('egress_denied');
  });
});

describe('list', () => {
  test('has the shape of the seed, filters, and pages without gaps', async () => {
    const made = [];
    for (const [n, type] of ['worker', 'validator', 'worker', 'orchestrator', 'worker'].entries()) {
      made.push(await register({ name: `a${n}`, type, capabilities: n % 2 ? ['odd', 'x'] : ['even'] }, root));
    }
    await stand.as(root)('drain', { agent_id: made[0].agent_id });
    const names = async (query: object = {}) =>
      (await stand.as(viewer)('list', query)).agents.map((agent: { name: string }) => agent.name);
    expect(await names()).toEqual(['a4', 'a3', 'a2', 'a1', 'a0']);
    expect(await names({ type: 'worker' })).toEqual(['a4', 'a2', 'a0']);
    expect(await names({ status: 'draining' })).toEqual(['a0']);
    expect(await names({ capability: 'odd' })).toEqual(['a3', 'a1']);
    expect(await names({ capability: 'odd', type: 'validator' })).toEqual(['a1']);
    expect(await stand.as(viewer)('list', { status: 'dead' })).toMatchObject({ code: 'invalid_input' });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await stand.as(viewer)('list', { limit: 2, ...(cursor ? { cursor } : {}) });
      expect(page.truncated).toBe(page.next_cursor !== null);
      seen.push(...page.agents.map((agent: { name: string }) => agent.name));
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
    expect(seen).toEqual(['a4', 'a3', 'a2', 'a1', 'a0']);
    expect(await stand.as(viewer)('list', { cursor: 'bm9uc2Vuc2U' })).toMatchObject({ code: 'invalid_input' });
    const [first] = (await stand.as(viewer)('list', { limit: 1 })).agents;
    expect(Object.keys(first).sort()).toEqual(
      ['capabilities', 'current_load', 'id', 'last_heartbeat', 'name', 'shared', 'status', 'type'].sort(),
    );
  });

  test('is for those who may read agents; an agent asks only about itself', async () => {
    const mine = await register();
    const other = await register();
    const me = stand.as(itself(mine.agent_id));
    expect(await me('list')).toMatchObject({ code: 'forbidden' });
    expect(await me('get', { agent_id: mine.agent_id })).toMatchObject({ id: mine.agent_id, labels: {} });
    expect(await me('get', { agent_id: other.agent_id })).toMatchObject({ code: 'forbidden' });
    expect(await me('get', { agent_id: randomUUID() })).toMatchObject({ code: 'forbidden' });
  });

  test('addresses, labels and tasks are shown to those who may change the agent', async () => {
    const olga = caller('olga', 'operator');
    const { agent_id } = await register({ endpoints: { task: 'http://a.invalid/t' }, labels: { room: '12' } }, olga);
    await putRunningTask(stand.deps.db, agent_id);
    for (const stranger of [
      ben,
      viewer,
      caller('rita', 'viewer', [{ resource: `agent:${agent_id}`, access: 'read' }]),
    ]) {
      expect(await stand.as(stranger)('get', { agent_id })).toMatchObject({
        running_tasks: 1,
        endpoints: null,
        labels: null,
        tasks: null,
      });
    }
    const granted = caller('gus', 'developer', [{ resource: `agent:${agent_id}`, access: 'write' }]);
    for (const trusted of [olga, root, granted, itself(agent_id)]) {
      expect(await stand.as(trusted)('get', { agent_id })).toMatchObject({
        endpoints: { task: 'http://a.invalid/t' },
        labels: { room: '12' },
        tasks: [{ type: 'processing', attempt: 1 }],
      });
    }
  });
});

describe('who may change what', () => {
  test.each(['heartbeat', 'drain', 'activate', 'token', 'delete'])('%s', async (verb) => {
    const { agent_id } = await register();
    const other = await register({}, ben);
    const input = { agent_id, ...(verb === 'heartbeat' ? { current_load: 0.5 } : {}) };
    const code = async (by: Parameters<AgentStand['as']>[0]) => (await stand.as(by)(verb, input)).code;
    expect(await code(ben)).toBe('not_found');
    expect(await code(viewer)).toBe('forbidden');
    expect(await code(itself(other.agent_id))).toBe('forbidden');
    expect(await code(caller('rita', 'developer', [{ resource: `agent:${agent_id}`, access: 'read' }]))).toBe(
      'forbidden',
    );
    expect(await code(itself(agent_id))).toBeUndefined();
    if (verb === 'delete') return expect(await code(ana)).toBe('not_found');
    expect(await code(ana)).toBeUndefined();
    expect(await code(root)).toBeUndefined();
    expect(
      await code(caller('gus', 'developer', [{ resource: `agent:${agent_id}`, access: 'write' }])),
    ).toBeUndefined();
    return expect((await stand.as(ana)(verb, { ...input, agent_id: randomUUID() })).code).toBe('not_found');
  });
});

describe('control', () => {
  test('heartbeats carry load and resources; steps of the load add up to an event, at most one a second', async () => {
    const { agent_id } = await register({ resources: { cpu: 4, memory: '8GB' } });
    const beat = (current_load: number, more: object = {}) =>
      stand.as(itself(agent_id))('heartbeat', { agent_id, current_load, ...more });
    const loads = async () =>
      (await events()).slice(1).map((event) => (event.data as { current_load: number }).current_load);
    const secondPasses = () => sql`UPDATE agents SET told_at = told_at - interval '1 second'`.execute(stand.deps.db);
    expect(await beat(0.3, { resources: { cpu: 2, disk: '1TB' } })).toEqual({
      agent_id,
      status: 'active',
      draining: false,
      heartbeat_interval_seconds: 10,
    });
    expect((await stand.as(ana)('get', { agent_id })).resources).toEqual({ cpu: 2, memory: '8GB', disk: '1TB' });
    expect(await loads()).toEqual([]);
    await secondPasses();
    await beat(0.31);
    expect(await loads()).toEqual([0.31]);
    await secondPasses();
    await beat(0.34);
    expect(await loads()).toEqual([0.31]);
    await beat(0.36);
    expect(await loads()).toEqual([0.31, 0.36]);
    await beat(0.9);
    expect(await loads()).toEqual([0.31, 0.36]);
    // A status is told at once.
    expect(await beat(0.97)).toMatchObject({ status: 'degraded' });
    expect(await loads()).toEqual([0.31, 0.36, 0.97]);
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`r${n}`, n]));
    expect(await beat(0, { resources: many })).toMatchObject({
      code: 'invalid_input',
      faults: [{ path: 'resources' }],
    });
    for (const current_load of [-0.1, 1.1, Number.NaN, 'much']) {
      expect(await beat(current_load as number)).toMatchObject({ code: 'invalid_input' });
    }
  });

  test('a heartbeat brings an offline agent back', async () => {
    const { agent_id } = await register();
    await stand.deps.db
      .updateTable('agents')
      .set({ status: 'offline', last_heartbeat: new Date(0), beats: true })
      .execute();
    expect(await stand.as(itself(agent_id))('heartbeat', { agent_id, current_load: 0 })).toMatchObject({
      status: 'active',
    });
    expect((await events()).at(-1)?.data).toMatchObject({ status: 'active' });
  });

  test('drain and activate, also twice, are one event each', async () => {
    const { agent_id } = await register();
    for (const verb of ['drain', 'drain']) {
      expect(await stand.as(ana)(verb, { agent_id })).toMatchObject({ status: 'draining', draining: true });
    }
    expect(await stand.as(itself(agent_id))('heartbeat', { agent_id, current_load: 0 })).toMatchObject({
      status: 'draining',
      draining: true,
    });
    for (const verb of ['activate', 'activate']) {
      expect(await stand.as(ana)(verb, { agent_id })).toMatchObject({ status: 'active', draining: false });
    }
    expect((await events()).map((event) => (event.data as { status: string }).status)).toEqual([
      'active',
      'draining',
      'active',
    ]);
  });

  test('a new token ends the old one', async () => {
    const { agent_id, token } = await register();
    const next = await stand.as(itself(agent_id))('token', { agent_id });
    expect(next.token).not.toBe(token);
    expect([await alive(token), await alive(next.token)]).toEqual([false, true]);
  });

  test('a deleted agent is gone, its token is dead, its name is free', async () => {
    const { agent_id, token } = await register({ name: 'mine' });
    expect(await stand.as(ana)('delete', { agent_id })).toEqual({ agent_id, moved_tasks: 0 });
    expect(await alive(token)).toBe(false);
    expect((await stand.as(ana)('list')).agents).toEqual([]);
    for (const verb of ['get', 'drain', 'delete']) {
      expect(await stand.as(ana)(verb, { agent_id })).toMatchObject({ code: 'not_found' });
    }
    expect((await events()).at(-1)?.data).toMatchObject({ agent_id, status: 'offline' });
    const again = await register({ name: 'mine' }, ben);
    expect(again).toMatchObject({ created: true });
    expect(again.agent_id).not.toBe(agent_id);
  });
});
