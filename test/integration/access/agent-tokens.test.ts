/** An agent's token on a real database: what it proves, that rotation ends the old one, and how soon. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApi } from '../../../src/api/app.ts';
import { operations } from '../../../src/operations/index.ts';
import { issueAgentToken, revokeAgentTokens } from '../../../src/services/access/agent-tokens.ts';
import { createAuthenticator, REVOCATION_BOUND_MS } from '../../../src/services/access/authenticate.ts';
import { hashSecret, isOurs } from '../../../src/services/access/secrets.ts';
import { door, makeKey, openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await openStand();
});
afterAll(() => stand.close());

function issue(agentId: string, rotate = false) {
  const request = { agent_id: agentId, name: 'parser-1', created_by: 'dev', rotate };
  return stand.deps.db.transaction().execute((trx) => issueAgentToken(trx, request));
}

/** An authenticator whose clock the test moves. */
function clockwork() {
  let at = Date.now();
  const authenticator = createAuthenticator({ ...stand.deps, now: () => at });
  return {
    pass: (ms: number) => {
      at += ms;
    },
    ask: (value: string) =>
      authenticator.authenticate({ kind: 'token', value }).then(
        ({ id, role }) => `${role} ${id}`,
        (error: { code: string }) => error.code,
      ),
  };
}

it('stands for the agent, is told from a key by its first letters, and is stored as a hash only', async () => {
  const agent = randomUUID();
  const { token, key_id } = await issue(agent);
  expect(token).toMatch(/^osta_[A-Za-z0-9_-]{43}$/);
  expect(isOurs(token)).toBe(true);
  expect(await clockwork().ask(token)).toBe(`agent ${agent}`);
  const row = await stand.deps.db
    .selectFrom('api_keys')
    .selectAll()
    .where('key_id', '=', key_id)
    .executeTakeFirstOrThrow();
  expect(row).toMatchObject({ role: 'agent', principal_id: agent, created_by: 'dev', prefix: token.slice(0, 12) });
  expect(row.hash.equals(hashSecret(token))).toBe(true);
  expect(JSON.stringify(row)).not.toContain(token);
});

it('adds a token without rotation, and ends the earlier ones with it', async () => {
  const agent = randomUUID();
  const clock = clockwork();
  const [first, second] = [await issue(agent), await issue(agent)];
  expect([await clock.ask(first.token), await clock.ask(second.token)]).toEqual([`agent ${agent}`, `agent ${agent}`]);
  const third = await issue(agent, true);
  clock.pass(REVOCATION_BOUND_MS);
  expect([await clock.ask(first.token), await clock.ask(second.token)]).toEqual(['unauthenticated', 'unauthenticated']);
  expect(await clock.ask(third.token)).toBe(`agent ${agent}`);
});

it('revokes all tokens of one agent and of no other, and of no key of the same principal', async () => {
  const [agent, other] = [randomUUID(), randomUUID()];
  const clock = clockwork();
  const [mine, another] = [await issue(agent), await issue(other)];
  expect(await clock.ask(mine.token)).toBe(`agent ${agent}`);
  expect(await stand.deps.db.transaction().execute((trx) => revokeAgentTokens(trx, agent))).toBe(1);
  expect(await stand.deps.db.transaction().execute((trx) => revokeAgentTokens(trx, agent))).toBe(0);
  clock.pass(REVOCATION_BOUND_MS);
  expect(await clock.ask(mine.token)).toBe('unauthenticated');
  expect(await clock.ask(another.token)).toBe(`agent ${other}`);
});

it('leaves the old token alive when the transaction of a rotation fails', async () => {
  const agent = randomUUID();
  const { token } = await issue(agent);
  await expect(
    stand.deps.db.transaction().execute(async (trx) => {
      await issueAgentToken(trx, { agent_id: agent, name: 'x', created_by: 'dev', rotate: true });
      throw new Error('the rest of the change failed');
    }),
  ).rejects.toThrow('the rest');
  expect(await clockwork().ask(token)).toBe(`agent ${agent}`);
});

it('is never made as a key: whoever may make keys is told where agents get theirs', async () => {
  const api = createApi({ ...door(stand.deps), operations });
  const { key } = await makeKey(stand.deps, 'admin');
  const make = async (role: string) => {
    const response = await api.request('/api/v1/keys', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'x', role, principal_id: 'an-agent' }),
    });
    return { status: response.status, body: (await response.json()) as { errors?: { path: string }[] } };
  };
  const refused = await make('agent');
  expect([refused.status, refused.body.errors?.[0]?.path]).toEqual([400, 'role']);
  expect((await make('viewer')).status).toBe(201);
});
