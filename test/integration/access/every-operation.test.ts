/** Every operation against every kind of credential that must not work, every role, and everybody else's things. */
import { randomUUID } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApi } from '../../../src/api/app.ts';
import { operations } from '../../../src/operations/index.ts';
import { mayDo } from '../../../src/schema/access.ts';
import { ROLES, type Role } from '../../../src/schema/names.ts';
import type { Principal } from '../../../src/schema/principal.ts';
import { issueAgentToken, revokeAgentTokens } from '../../../src/services/access/agent-tokens.ts';
import { openCache } from '../../../src/stores/cache/index.ts';
import { openObjects } from '../../../src/stores/objects/index.ts';
import { OIDC_AUDIENCE, type OidcServer, startOidc } from '../../support/servers/oidc.ts';
import { door, JWT_SECRET, makeKey, openStand, type Stand } from '../api/stand.ts';
import {
  GRANTABLE,
  missing,
  ONLY_LOOKS,
  READ_IS_ENOUGH,
  type Route,
  requestFor,
  routesOf,
  THINGS,
  thingsFor,
} from './fixtures.ts';

const routes = routesOf(operations);
/** Roles that see and change what anybody owns. */
const ALL_SEEING: Role[] = ['admin', 'operator'];

let stand: Stand;
let oidc: OidcServer;
let api: ReturnType<typeof createApi>;
const keys = new Map<Role, string>();

beforeAll(async () => {
  oidc = await startOidc();
  const env = {
    JWT_ISSUER: oidc.issuer,
    JWT_AUDIENCE: OIDC_AUDIENCE,
    RATE_LIMIT_READ: '0',
    RATE_LIMIT_WRITE: '0',
    RATE_LIMIT_SEARCH: '0',
    RATE_LIMIT_AGENT: '0',
  };
  stand = await openStand({}, env);
  const { config } = stand.deps;
  Object.assign(stand.deps, { objects: await openObjects(config), cache: openCache(config) });
  api = createApi({ ...door(stand.deps), operations, failedAuthPerMinute: 1_000_000 });
  for (const role of ROLES) keys.set(role, (await makeKey(stand.deps, role)).key);
});
afterAll(async () => {
  await oidc.stop();
  await stand.close();
});

function call(route: Route, ids: Record<string, string>, headers: Record<string, string>) {
  const { path, init } = requestFor(route, ids);
  return api.request(path, { ...init, headers: { ...(init.headers as object), ...headers } });
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
/** Ids that nothing has. */
const nowhere = (route: Route) => Object.fromEntries(route.ids.map((id) => [id, randomUUID()]));

describe('no operation takes', () => {
  const soon = () => Math.floor(Date.now() / 1000);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const ours = (claims: object, secret = JWT_SECRET, exp = soon() + 300) =>
    new SignJWT({ sub: 'x', role: 'admin', exp, ...claims })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(secret));
  const theirs = (changes: object = {}) => ({
    iss: oidc.issuer,
    aud: OIDC_AUDIENCE,
    sub: 'x',
    role: 'admin',
    exp: soon() + 300,
    ...changes,
  });
  const signed = async (changes: object) =>
    new SignJWT(theirs(changes))
      .setProtectedHeader({ alg: 'ES256', kid: oidc.keys.ES256?.kid ?? '' })
      .sign(await importJWK(oidc.keys.ES256 ?? {}, 'ES256'));
  const publicKeyAsSecret = () =>
    new SignJWT(theirs())
      .setProtectedHeader({ alg: 'HS256', kid: oidc.keys.RS256?.kid ?? '' })
      .sign(Buffer.from(oidc.keys.RS256?.n ?? '', 'base64url'));
  const agentToken = async (revoked: boolean) =>
    stand.deps.db.transaction().execute(async (trx) => {
      const agent = randomUUID();
      const { token } = await issueAgentToken(trx, { agent_id: agent, name: 'a', created_by: 'x' });
      if (revoked) await revokeAgentTokens(trx, agent);
      return token;
    });

  const credentials: Record<string, () => Promise<Record<string, string>> | Record<string, string>> = {
    'no credential': () => ({}),
    'a made-up key': () => bearer(`ost_${'A'.repeat(43)}`),
    'a made-up token of an agent': () => bearer(`osta_${'A'.repeat(43)}`),
    garbage: () => bearer('../../etc/passwd'),
    'garbage in X-API-Key': () => ({ 'x-api-key': '\u00e9 or 1=1' }),
    'another scheme': () => ({ authorization: `Basic ${keys.get('admin')}` }),
    'an unknown session': () => ({ cookie: 'ostinato_session_8080=nonsense' }),
    'an expired key': async () =>
      bearer((await makeKey(stand.deps, 'admin', { expires_at: new Date(Date.now() - 1_000) })).key),
    'a revoked key': async () => bearer((await makeKey(stand.deps, 'admin', { revoked: true })).key),
    'a revoked token of an agent': async () => bearer(await agentToken(true)),
    'our own JWT, expired': async () => bearer(await ours({}, JWT_SECRET, soon() - 31)),
    'a JWT under another secret': async () => bearer(await ours({}, 'x'.repeat(40))),
    'our own JWT without a role': async () => bearer(await ours({ role: undefined })),
    'a JWT that is not signed': () => bearer(`${encode({ alg: 'none' })}.${encode(theirs({ iss: undefined }))}.`),
    "the issuer's JWT, not signed": () => bearer(`${encode({ alg: 'none' })}.${encode(theirs())}.`),
    "the issuer's JWT, expired": async () => bearer(await signed({ exp: soon() - 31 })),
    "the issuer's JWT for another audience": async () => bearer(await signed({ aud: 'https://else.example' })),
    "the issuer's key in another issuer's name": async () => bearer(await signed({ iss: 'https://else.example' })),
    "the issuer's JWT without a role": async () => bearer(await signed({ role: undefined })),
    'a JWT keyed with the public key of the issuer': async () => bearer(await publicKeyAsSecret()),
  };
  const headers: Record<string, Record<string, string>> = {};
  beforeAll(async () => {
    for (const [name, make] of Object.entries(credentials)) headers[name] = await make();
  });

  it.each(Object.keys(credentials))('%s', async (name) => {
    const answers = await Promise.all(
      routes.map(async (route) => {
        const response = await call(route, nowhere(route), headers[name] ?? {});
        return `${route.name} ${response.status} ${((await response.json()) as { code: string }).code}`;
      }),
    );
    expect(answers).toEqual(routes.map((route) => `${route.name} 401 unauthenticated`));
  });

  it('that would have worked with one thing right', async () => {
    const whoami = routes.filter((route) => route.name === 'whoami');
    expect(whoami).toHaveLength(1);
    for (const good of [await signed({}), await ours({}), await agentToken(false), keys.get('admin') ?? '']) {
      for (const route of whoami) expect((await call(route, {}, bearer(good))).status).toBe(200);
    }
  });
});

describe('roles', () => {
  const pairs = routes.flatMap((route) => ROLES.map((role) => ({ route, role, name: route.name })));
  const mayRole = (role: Role, route: Route) => mayDo({ role } as Principal, route.operation.permission);

  it.each(pairs.filter(({ route, role }) => !mayRole(role, route)))(
    '$name is not for $role',
    async ({ route, role }) => {
      const response = await call(route, nowhere(route), bearer(keys.get(role) ?? ''));
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([403, 'forbidden']);
    },
  );

  it('that only look can change nothing', () => {
    const reached = routes.filter((route) => mayRole('viewer', route) && route.method !== 'GET');
    expect(reached.map((route) => route.name).filter((name) => !ONLY_LOOKS.has(name))).toEqual([]);
    const open = routes.filter((route) => [route.operation.permission].flat().includes('self:read'));
    expect(open.map((route) => route.name).sort()).toEqual(['limits.get', 'whoami']);
  });

  it('of an agent can do nothing but its own work', () => {
    const reached = routes.filter((route) => mayRole('agent', route));
    const allowed = new Set(['self:read', 'agents:work']);
    for (const { name, operation } of reached) {
      expect(
        [operation.permission].flat().some((permission) => allowed.has(permission)),
        name,
      ).toBe(true);
    }
    expect(reached.length).toBeLessThan(routes.length / 2);
  });
});

describe("somebody else's things", () => {
  const withIds = routes.filter((route) => route.ids.length > 0);

  it('can be made for every kind of id', () => {
    const lacking = withIds.flatMap((route) =>
      route.ids.filter((id) => !(id in THINGS)).map((id) => missing(id, route.name)),
    );
    expect(lacking).toEqual([]);
  });

  const known = withIds.filter((route) => route.ids.every((id) => id in THINGS));
  const pairs = known.flatMap((route) =>
    ROLES.filter((role) => !ALL_SEEING.includes(role) && mayDo({ role } as Principal, route.operation.permission)).map(
      (role) => ({ route, role, name: route.name }),
    ),
  );

  it.each(pairs)('$name hides them from $role, and not from their owner', async ({ route, role }) => {
    const owner = role === 'agent' ? await anAgent() : await makeKey(stand.deps, role);
    const stranger = role === 'agent' ? await anAgent() : await makeKey(stand.deps, role);
    const things = await ownThings(route, owner, role);
    const refused = await call(route, things, bearer(stranger.key));
    const text = await refused.text();
    expect([403, 404], text).toContain(refused.status);
    if (role !== 'agent') expect(text).not.toContain(owner.principal_id);
    const answered = await call(route, things, bearer(owner.key));
    const answer = await answered.text();
    const hint = `${answer}\nThe owner gets this: ${route.name} may need input in INPUTS of test/integration/access/fixtures.ts`;
    expect([400, 401, 403, 404, 500], hint).not.toContain(answered.status);
  });

  const lists = routes.filter((route) => route.method === 'GET' && route.ids.length === 0);

  it.each(lists)('$name shows them to nobody but their owner', async (route) => {
    const roles = ROLES.filter(
      (role) => !ALL_SEEING.includes(role) && mayDo({ role } as Principal, route.operation.permission),
    );
    for (const role of roles) {
      const owner = await makeKey(stand.deps, role);
      const stranger = await makeKey(stand.deps, role);
      const made: Record<string, string> = {};
      for (const [id, make] of Object.entries(THINGS)) made[id] = await make(stand.deps, owner.principal_id, made);
      const hidden = Object.entries(made).filter(([id]) => id !== 'name');
      // Each filter that can name somebody else's thing is tried too.
      const filters = ['owner', 'principal_id', ...Object.keys(made)].filter(
        (name) => name in route.operation.input.shape,
      );
      for (const filter of ['', ...filters]) {
        const value = made[filter] ?? owner.principal_id;
        const query = filter === '' ? '' : `?${filter}=${encodeURIComponent(value)}`;
        const response = await api.request(`${route.path}${query}`, { headers: bearer(stranger.key) });
        const text = await response.text();
        expect([200, 403, 404], text).toContain(response.status);
        for (const [id, value] of hidden) {
          if (id !== filter) expect(text, `${id} under ${query || 'no filter'}`).not.toContain(value);
        }
        const mine = await api.request(`${route.path}${query}`, { headers: bearer(owner.key) });
        expect(mine.status, await mine.text()).toBe(200);
      }
    }
  });

  const roleFor = (route: Route) =>
    (['viewer', 'analyst', 'developer'] as const).find((role) =>
      mayDo({ role } as Principal, route.operation.permission),
    );
  const shareable = known.flatMap((route) => {
    const role = roleFor(route);
    // Keys are the business of admins, who see them all.
    return role === undefined ? [] : [{ route, role, name: route.name }];
  });

  it.each(shareable)('$name opens by a grant: to look by read, to change by write', async ({ route, role }) => {
    const owner = await makeKey(stand.deps, role);
    const onlyId = route.ids.length === 1 ? (route.ids[0] ?? '') : '';
    const kind = GRANTABLE[onlyId];
    const holder = async (resource: string, access: 'read' | 'write') =>
      bearer((await makeKey(stand.deps, role, { grants: [{ resource, access }] })).key);
    const expectOpen = async (response: Response) =>
      expect([400, 401, 403, 404, 500], await response.text()).not.toContain(response.status);
    const grants = [
      () => `owner:${owner.principal_id}`,
      ...(kind === undefined ? [] : [(things: Record<string, string>) => `${kind}:${things[onlyId]}`]),
    ];
    for (const grantOn of grants) {
      const things = await thingsFor(stand.deps, route, owner.principal_id);
      const read = await call(route, things, await holder(grantOn(things), 'read'));
      if (route.method === 'GET' || READ_IS_ENOUGH.has(route.name)) await expectOpen(read);
      else expect(read.status, await read.text()).toBe(403);
      const others = await thingsFor(stand.deps, route, owner.principal_id);
      await expectOpen(await call(route, others, await holder(grantOn(others), 'write')));
      const elsewhere = await thingsFor(stand.deps, route, `not-${owner.principal_id}`);
      const refused = await call(route, elsewhere, await holder(grantOn(others), 'write'));
      expect([403, 404], 'a grant on something else').toContain(refused.status);
    }
  });

  async function anAgent(): Promise<{ key: string; principal_id: string }> {
    const agent = await (THINGS.agent_id as NonNullable<(typeof THINGS)[string]>)(stand.deps, 'somebody', {});
    const { token } = await stand.deps.db
      .transaction()
      .execute((trx) => issueAgentToken(trx, { agent_id: agent, name: 'a', created_by: 'somebody' }));
    return { key: token, principal_id: agent };
  }

  /** What an agent owns is itself. */
  async function ownThings(route: Route, owner: { principal_id: string }, role: Role): Promise<Record<string, string>> {
    const things = await thingsFor(stand.deps, route, owner.principal_id);
    return role === 'agent' && 'agent_id' in things ? { ...things, agent_id: owner.principal_id } : things;
  }
});
