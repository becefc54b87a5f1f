/** Agents that went offline and never came back: when they are taken out, and what is left of them then. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { hashSecret } from '../../../src/services/access/secrets.ts';
import { removeLongOffline } from '../../../src/services/agents/retention.ts';
import { createAgentWatch } from '../../../src/services/agents/watch.ts';
import { findKeyByHash } from '../../../src/stores/keys.ts';
import { putAgent } from './rows.ts';
import { type AgentStand, caller, openAgentStand } from './stand.ts';

const DAY_MS = 86_400_000;

let stand: AgentStand;
beforeAll(async () => {
  stand = await openAgentStand({ MAX_AGENTS: '2', AGENT_RETENTION_DAYS: '3', AGENT_HEARTBEAT_SECONDS: '1' });
});
afterAll(() => stand?.close());
beforeEach(async () => {
  for (const table of ['agents', 'audit_log']) await sql`DELETE FROM ${sql.table(table)}`.execute(stand.deps.db);
});

const ana = as('ana');
function as(id: string) {
  return (name: string, input?: object) => stand.as(caller(id))(name, input);
}
const ago = (days: number) => new Date(Date.now() - days * DAY_MS);
const setAgent = (agentId: string, change: object) =>
  stand.deps.db.updateTable('agents').set(change).where('agent_id', '=', agentId).execute();
const names = async () => (await ana('list')).agents.map(({ name }: { name: string }) => name).toSorted();

test('one that is offline for longer is gone: its place and its name are free, its token is dead, and the audit log knows', async () => {
  const { agent_id, token } = await ana('register', { name: 'dead' });
  await ana('register', { name: 'alive' });
  expect(await ana('register', { name: 'third' })).toMatchObject({ code: 'agent_limit' });
  await setAgent(agent_id, { status: 'offline', last_heartbeat: ago(3.1), offline_since: ago(3.1) });
  expect(await removeLongOffline(stand.deps)).toBe(1);
  expect(await removeLongOffline(stand.deps)).toBe(0);
  expect(await names()).toEqual(['alive']);
  expect((await findKeyByHash(stand.deps.db, hashSecret(token)))?.revoked_at).toBeInstanceOf(Date);
  const audit = await stand.deps.db
    .selectFrom('audit_log')
    .select(['resource', 'outcome'])
    .where('operation', '=', 'agents.expire')
    .execute();
  expect(audit).toEqual([{ resource: `agent:${agent_id}`, outcome: 'ok' }]);
  expect(await stand.as(caller('ben'))('register', { name: 'dead' })).toMatchObject({ created: true });
});

test('one that is offline for less, that answers, or that only drains stays', async () => {
  const offline = { status: 'offline' as const, owner: 'ana', offline_since: ago(30) };
  await putAgent(stand.deps.db, { ...offline, name: 'recent', last_heartbeat: ago(30), offline_since: ago(2.9) });
  await putAgent(stand.deps.db, { ...offline, name: 'answers', last_heartbeat: ago(30), answered_at: ago(1) });
  await putAgent(stand.deps.db, {
    owner: 'ana',
    name: 'drains',
    draining: true,
    status: 'draining',
    last_heartbeat: ago(30),
  });
  expect(await removeLongOffline(stand.deps)).toBe(0);
  expect(await names()).toEqual(['answers', 'drains', 'recent']);
});

test('the watch removes them, once it has left the living the time to come back', async () => {
  const long = { last_heartbeat: ago(4), offline_since: ago(4) };
  await putAgent(stand.deps.db, { owner: 'ana', name: 'gone', status: 'offline', ...long });
  const watch = createAgentWatch(stand.deps);
  expect(await watch.round()).toMatchObject({ removed: 0 });
  expect(await names()).toEqual(['gone']);
  await expect.poll(async () => (await watch.round()).removed, { timeout: 10_000, interval: 200 }).toBe(1);
  expect(await names()).toEqual([]);
});

test('after an outage of ours that was longer, an agent that is seen to be offline keeps its whole time', async () => {
  const { agent_id, token } = await ana('register', { name: 'late' });
  await setAgent(agent_id, { last_heartbeat: ago(30) });
  const watch = createAgentWatch(stand.deps);
  const sinceWhen = async () =>
    (await stand.deps.db.selectFrom('agents').select(['status', 'offline_since']).executeTakeFirst()) ?? null;
  let removed = 0;
  const status = async () => {
    removed += (await watch.round()).removed;
    return (await sinceWhen())?.status;
  };
  await expect.poll(status, { timeout: 10_000, interval: 200 }).toBe('offline');
  expect(removed + (await watch.round()).removed).toBe(0);
  const seen = await sinceWhen();
  expect(seen?.offline_since?.getTime()).toBeGreaterThan(ago(0.01).getTime());
  // Seen again and again it is still offline since then, until it comes back.
  await watch.round();
  expect(await sinceWhen()).toEqual(seen);
  expect(await ana('register', { name: 'late' })).toMatchObject({ agent_id });
  expect(await sinceWhen()).toMatchObject({ status: 'active', offline_since: null });
  expect((await findKeyByHash(stand.deps.db, hashSecret(token)))?.revoked_at).toBeInstanceOf(Date);
});

test('0 days keeps every agent', async () => {
  const long = { last_heartbeat: ago(4000), offline_since: ago(4000) };
  await putAgent(stand.deps.db, { owner: 'ana', name: 'kept', status: 'offline', ...long });
  const config = { ...stand.deps.config, AGENT_RETENTION_DAYS: 0 };
  expect(await removeLongOffline({ ...stand.deps, config })).toBe(0);
  expect(await removeLongOffline(stand.deps)).toBe(1);
});
