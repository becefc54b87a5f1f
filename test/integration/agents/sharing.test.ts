/** Whose tasks an agent does and who sees it: what registering decides, lists, single looks and events by one rule. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fitsView, visibleTo } from '../../../src/services/events/view.ts';
import { BEGINNING } from '../../../src/stores/event-position.ts';
import { readEvents } from '../../../src/stores/events.ts';
import { type AgentStand, caller, itself, openAgentStand } from './stand.ts';

let stand: AgentStand;
beforeAll(async () => {
  stand = await openAgentStand();
});
afterAll(() => stand?.close());
beforeEach(async () => {
  for (const table of ['agents', 'event_log']) await sql`DELETE FROM ${sql.table(table)}`.execute(stand.deps.db);
});

const dev = caller('dev');
const operator = caller('olga', 'operator');
const admin = caller('root', 'admin');
const register = (by: typeof dev, over: object = {}) => stand.as(by)('register', { name: randomUUID(), ...over });
const shared = async (agentId: string): Promise<boolean> =>
  (await stand.as(admin)('get', { agent_id: agentId })).shared;

describe('an agent is shared', () => {
  test.each([
    [dev, undefined, false],
    [dev, false, false],
    [operator, undefined, true],
    [admin, undefined, true],
    [operator, false, false],
    [admin, false, false],
    [admin, true, true],
  ])('when $role registers it with shared: %s', async (by, wanted, expected) => {
    const { agent_id } = await register(by, wanted === undefined ? {} : { shared: wanted });
    expect(await shared(agent_id)).toBe(expected);
    expect((await stand.as(by)('list')).agents).toMatchObject([{ id: agent_id, shared: expected }]);
  });

  test('by nobody who may not see what the tasks of others hold', async () => {
    const refused = { code: 'forbidden', faults: [{ path: 'shared' }] };
    expect(await register(dev, { name: 'mine', shared: true })).toMatchObject(refused);
    expect((await stand.as(admin)('list')).agents).toEqual([]);
    const { agent_id } = await register(dev, { name: 'mine' });
    expect(await register(dev, { name: 'mine', shared: true })).toMatchObject(refused);
    expect(await shared(agent_id)).toBe(false);
  });

  test('by its owner, not by its own token', async () => {
    for (const [by, as] of [
      [dev, false],
      [operator, true],
    ] as const) {
      const name = randomUUID();
      const { agent_id } = await register(by, { name });
      const again = (more: object) => stand.as(itself(agent_id))('register', { name, ...more });
      expect(await again({ shared: !as })).toMatchObject({ code: 'forbidden' });
      expect(await again({ shared: as })).toMatchObject({ created: false });
      expect(await again({})).toMatchObject({ created: false });
      expect(await shared(agent_id)).toBe(as);
    }
  });

  test('as before when its owner registers it again without a word, as long as he may', async () => {
    const { agent_id } = await register(operator, { name: 'kept', shared: false });
    await register(operator, { name: 'kept' });
    expect(await shared(agent_id)).toBe(false);
    await register(operator, { name: 'kept', shared: true });
    await register(operator, { name: 'kept' });
    expect(await shared(agent_id)).toBe(true);
    await register(caller(operator.id, 'developer'), { name: 'kept' });
    expect(await shared(agent_id)).toBe(false);
  });
});

describe('who sees which agent', () => {
  type Seen = 'own' | 'shared' | 'theirs';
  const cases: [string, ReturnType<typeof caller>, Seen[]][] = [
    ['its owner', dev, ['own', 'shared']],
    ['another developer', caller('eva'), ['shared']],
    ['a viewer', caller('vera', 'viewer'), ['shared']],
    ['an operator', operator, ['own', 'shared', 'theirs']],
    ['an admin', caller('other', 'admin'), ['own', 'shared', 'theirs']],
    ['one who was granted all of its owner', caller('gus', 'viewer', grant('owner:dev')), ['own', 'shared']],
    ['one who was granted something else', caller('gus', 'viewer', grant('agent:none')), ['shared']],
  ];
  function grant(resource: string) {
    return [{ resource, access: 'read' as const }];
  }

  async function look(by: ReturnType<typeof caller>, ids: Map<string, Seen>) {
    const named = (seen: Iterable<string>) => [...seen].flatMap((id) => ids.get(id) ?? []).toSorted();
    const list = (await stand.as(by)('list')).agents.map(({ id }: { id: string }) => id);
    const single = [];
    for (const agent_id of ids.keys()) {
      const answer = await stand.as(by)('get', { agent_id });
      if (answer.id === agent_id) single.push(agent_id);
      else expect(answer).toMatchObject({ code: 'not_found' });
    }
    const { owners, resources } = visibleTo(by);
    const all = await readEvents(stand.deps.db, { owners: null, after: BEGINNING, limit: 100 });
    const inSql = await readEvents(stand.deps.db, { owners, resources, after: BEGINNING, limit: 100 });
    const view = { owners: owners && new Set(owners), resources: new Set(resources), wanted: null };
    const about = (events: typeof all.events) => new Set(events.map(({ data }) => String(data.agent_id)));
    const memory = all.events.filter((event) => fitsView(view, event));
    return { list: named(list), single: named(single), log: named(about(inSql.events)), memory: named(about(memory)) };
  }

  async function three(): Promise<Map<string, Seen>> {
    return new Map([
      [(await register(dev)).agent_id, 'own'],
      [(await register(operator)).agent_id, 'shared'],
      [(await register(caller('zoe'))).agent_id, 'theirs'],
    ]);
  }

  test.each(cases)('%s', async (_name, by, sees) => {
    const seen = sees.toSorted();
    expect(await look(by, await three())).toEqual({ list: seen, single: seen, log: seen, memory: seen });
  });

  test('one who was granted that agent', async () => {
    const ids = await three();
    const [own] = ids.keys();
    const seen = ['own', 'shared'];
    const granted = caller('gus', 'viewer', grant(`agent:${own}`));
    expect(await look(granted, ids)).toEqual({ list: seen, single: seen, log: seen, memory: seen });
  });

  test('an agent that is shared no more tells what follows to its owner alone', async () => {
    const { agent_id } = await register(operator, { name: 'withdrawn' });
    await register(operator, { name: 'withdrawn', shared: false });
    await stand.as(operator)('drain', { agent_id });
    const { owners, resources } = visibleTo(dev);
    const { events } = await readEvents(stand.deps.db, { owners, resources, after: BEGINNING, limit: 100 });
    expect(events.map(({ data }) => data.status)).toEqual(['active']);
  });
});
