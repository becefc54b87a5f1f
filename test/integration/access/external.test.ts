/** Tokens that other services vouch for: a user service that misbehaves on demand, and introspection by a real server. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createApi } from '../../../src/api/app.ts';
import { createIdentityHttp } from '../../../src/clients/oauth-http.ts';
import { operations } from '../../../src/operations/index.ts';
import type { Failure } from '../../../src/schema/failures.ts';
import { type AccessConfig, createAuthenticator } from '../../../src/services/access/authenticate.ts';
import { VOUCHED_FOR_MS } from '../../../src/services/access/external.ts';
import { OIDC_SECRET, type OidcServer, startOidc } from '../../support/servers/oidc.ts';
import { type Mode, startUserService, type UserService } from '../../support/servers/user-service.ts';
import { door, JWT_SECRET, makeKey, openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
let users: UserService;
let oidc: OidcServer;
beforeAll(async () => {
  [stand, users, oidc] = await Promise.all([openStand(), startUserService(), startOidc()]);
});
beforeEach(() => users.mode('normal'));
afterAll(() => Promise.all([stand.close(), users.stop(), oidc.stop()]));

let serial = 0;
/** A token that was never seen before. */
const fresh = () => `opaque-${++serial}`;
const usersHost = () => new URL(users.url).host;

function gate(changes: Partial<AccessConfig> = {}, timeoutMs = 10_000) {
  let at = Date.now();
  const authenticator = createAuthenticator({
    db: stand.deps.db,
    config: { ...stand.deps.config, FLASK_API_URL: users.url, ...changes } as AccessConfig,
    now: () => at,
    http: createIdentityHttp({ timeoutMs }),
  });
  const askFor = (value: string) => authenticator.authenticate({ kind: 'token', value });
  return {
    askFor,
    pass: (ms: number) => {
      at += ms;
    },
    ask: (value: string) =>
      askFor(value).then(
        ({ role, id, via }) => `${role} ${id} ${via}`,
        (failure: Failure) => failure.code,
      ),
  };
}

describe('the user service', () => {
  it('is told of once for every form of its answer', async () => {
    const { ask } = gate();
    const cases: [unknown, string][] = [
      [{ user: { id: 7, name: 'Ada', roles: ['viewer', 'analyst'] } }, `analyst ${usersHost()}|7 introspection`],
      [{ user: { id: 'ada', role: 'viewer' }, roles: ['admin'] }, `admin ${usersHost()}|ada introspection`],
      [{ id: 'ada', email: 'a@b.c', role: 'operator', active: true }, `operator ${usersHost()}|ada introspection`],
      [{ user: 'ada', roles: [{ name: 'viewer' }] }, `viewer ${usersHost()}|ada introspection`],
      [{ user: { id: 'ada', active: false }, roles: ['admin'] }, 'unauthenticated'],
      [{ user: { id: 'ada' }, roles: ['admin'], valid: false }, 'unauthenticated'],
      [{ user: null, id: 'ada', roles: ['admin'] }, 'unauthenticated'],
      [{ user: { id: '' }, roles: ['admin'] }, 'unauthenticated'],
      [{ user: { name: 'Ada' }, roles: ['admin'] }, 'unauthenticated'],
      [{ user: { id: 'ada', is_admin: true, admin: true }, permissions: ['admin'] }, 'unauthenticated'],
      [{ user: { id: 'ada' }, roles: ['superuser', 'Admin', 'admin user'] }, 'unauthenticated'],
      [{ user: { id: 'ada' }, role: 'viewer', exp: 1 }, 'unauthenticated'],
      [{}, 'unauthenticated'],
    ];
    for (const [answer, expected] of cases) {
      const token = fresh();
      await users.say(token, answer);
      expect(await ask(token), JSON.stringify(answer)).toBe(expected);
    }
    expect(await ask(fresh())).toBe('unauthenticated');
    // What cannot stand in a header is nobody's token, and no reason to suspect the service.
    for (const token of ['a b', 'ü'.repeat(20), 'x'.repeat(8_193)]) expect(await ask(token)).toBe('unauthenticated');
  });

  it('is asked by POST where it takes nothing else, and remembered so', async () => {
    await users.mode('post-only');
    const { ask } = gate();
    const [first, second] = [fresh(), fresh()];
    for (const token of [first, second]) await users.say(token, { user: { id: 1 }, role: 'viewer' });
    expect(await ask(first)).toContain('viewer');
    expect(await ask(second)).toContain('viewer');
    expect([await users.asked(first), await users.asked(second)]).toEqual([2, 1]);
  });

  it('is believed for a minute at most, and no longer than it says', async () => {
    const { ask, pass } = gate();
    const [token, short] = [fresh(), fresh()];
    await users.say(token, { user: { id: 1 }, role: 'viewer' });
    await users.say(short, { user: { id: 2 }, role: 'viewer', exp: Date.now() / 1000 + 10 });
    for (let n = 0; n < 5; n++) expect(await ask(token)).toContain('viewer');
    expect(await ask(short)).toContain('viewer');
    expect([await users.asked(token), await users.asked(short)]).toEqual([1, 1]);
    await users.say(token, null);
    await users.say(short, null);
    pass(10_100);
    expect(await ask(short)).toBe('unauthenticated');
    expect(await ask(token)).toContain('viewer');
    pass(VOUCHED_FOR_MS - 10_100);
    expect(await ask(token)).toBe('unauthenticated');
  });

  it('is not asked again for five seconds about a token that it refused', async () => {
    const { ask, pass } = gate();
    const token = fresh();
    expect(await ask(token)).toBe('unauthenticated');
    await users.say(token, { user: { id: 1 }, role: 'viewer' });
    expect(await ask(token)).toBe('unauthenticated');
    expect(await users.asked(token)).toBe(1);
    pass(5_001);
    expect(await ask(token)).toContain('viewer');
  });

  it('is asked once for callers that come together', async () => {
    await users.mode('held');
    const { ask } = gate();
    const token = fresh();
    await users.say(token, { user: { id: 1 }, role: 'viewer' });
    const answers = Promise.all(Array.from({ length: 30 }, () => ask(token)));
    await vi.waitUntil(async () => (await users.asked(token)) > 0, { timeout: 30_000 });
    await users.mode('normal');
    expect(new Set(await answers)).toEqual(new Set([`viewer ${usersHost()}|1 introspection`]));
    expect(await users.asked(token)).toBe(1);
  });

  it('is never asked more than 64 things at once', async () => {
    await users.mode('held');
    const { ask } = gate({}, 60_000);
    const early: string[] = [];
    const answers = Promise.all(
      Array.from({ length: 80 }, async () => {
        const answer = await ask(fresh());
        early.push(answer);
        return answer;
      }),
    );
    // Nobody else is answered before the service is let go.
    await vi.waitUntil(() => early.length === 16, { timeout: 30_000 });
    expect(new Set(early)).toEqual(new Set(['unavailable']));
    await users.mode('normal');
    expect((await answers).filter((answer) => answer === 'unauthenticated')).toHaveLength(64);
  });

  const broken: Mode[] = ['silent', 'html', 'list', 'huge', 'cut', 'error', 'redirect', 'busy'];
  it.each(broken)('that is %s is an outage: never a yes, and not a no', async (mode) => {
    const { ask, askFor, pass } = gate({}, mode === 'silent' ? 2_000 : 10_000);
    const known = fresh();
    await users.say(known, { user: { id: 1 }, role: 'viewer' });
    expect(await ask(known)).toContain('viewer');
    await users.mode(mode);
    const failure = (await askFor(fresh()).catch((error: unknown) => error)) as Failure;
    expect(failure.code).toBe('unavailable');
    expect(failure.retryAfterSeconds).toBe(mode === 'busy' ? 7 : 5);
    expect(failure.message).not.toContain(usersHost());
    expect(await ask(known)).toContain('viewer');
    pass(VOUCHED_FOR_MS);
    expect(await ask(known)).toBe('unavailable');
    await users.mode('normal');
    pass(7_000);
    expect(await ask(known)).toContain('viewer');
  });

  it('that asks for a pause is left alone as long as it says', async () => {
    await users.mode('busy');
    const { ask, pass } = gate();
    const [first, second] = [fresh(), fresh()];
    expect([await ask(first), await ask(second)]).toEqual(['unavailable', 'unavailable']);
    expect([await users.asked(first), await users.asked(second)]).toEqual([1, 0]);
    await users.mode('normal');
    expect(await ask(second)).toBe('unavailable');
    pass(7_000);
    expect(await ask(second)).toBe('unauthenticated');
  });

  it('is not asked about what we gave out ourselves, live or not', async () => {
    const { ask } = gate();
    const live = (await makeKey(stand.deps, 'viewer')).key;
    const revoked = (await makeKey(stand.deps, 'viewer', { revoked: true })).key;
    const past = Math.floor(Date.now() / 1000) - 60;
    const sign = (secret: string, exp: number) =>
      new SignJWT({ sub: 'ada', role: 'viewer', exp })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(secret));
    const expired = await sign(JWT_SECRET, past);
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`;
    const ours = [live, revoked, `ost_${'A'.repeat(43)}`, `osta_${'A'.repeat(43)}`, expired, unsigned];
    for (const token of ours) await users.say(token, { user: { id: 'thief' }, role: 'admin' });
    const answers = [];
    for (const token of ours) answers.push(await ask(token));
    expect(answers[0]).toContain('api_key');
    expect(answers.slice(1)).toEqual(Array(5).fill('unauthenticated'));
    for (const token of ours) expect(await users.asked(token)).toBe(0);
    // A JWT under a secret that is the user service's own is a matter for it.
    const theirs = await sign('the secret of the user service, 40 long.', past + 600);
    await users.say(theirs, { user: { id: 5 }, role: 'viewer' });
    expect(await ask(theirs)).toBe(`viewer ${usersHost()}|5 introspection`);
  });

  it('tells the role of a JWT that is under our secret and names none', async () => {
    const { ask } = gate();
    const sign = (claims: object) =>
      new SignJWT({ sub: '7', exp: Math.floor(Date.now() / 1000) + 600, ...claims })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(JWT_SECRET));
    const [shared, strange, ended] = [await sign({}), await sign({ role: 'root' }), await sign({ exp: 1 })];
    for (const token of [shared, strange, ended]) await users.say(token, { user: { id: 7 }, role: 'analyst' });
    expect(await ask(shared)).toBe(`analyst ${usersHost()}|7 introspection`);
    expect([await ask(strange), await ask(ended)]).toEqual(['unauthenticated', 'unauthenticated']);
    expect([await users.asked(strange), await users.asked(ended)]).toEqual([0, 0]);
  });

  it('opens every door the same way, with 503 and Retry-After while it is away', async () => {
    const config = { ...stand.deps.config, FLASK_API_URL: users.url };
    const api = createApi({ ...door({ ...stand.deps, config }), operations });
    const token = fresh();
    await users.say(token, { user: { id: 9, name: 'Ada' }, role: 'viewer' });
    const whoami = (value: string) => api.request('/api/v1/whoami', { headers: { authorization: `Bearer ${value}` } });
    expect(await (await whoami(token)).json()).toMatchObject({
      id: `${usersHost()}|9`,
      name: 'Ada',
      role: 'viewer',
      via: 'introspection',
    });
    await users.mode('error');
    const away = await whoami(fresh());
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await away.json()).toMatchObject({ code: 'unavailable' });
  });
});

describe('introspection', () => {
  const settings = (changes: Partial<AccessConfig> = {}): Partial<AccessConfig> => ({
    FLASK_API_URL: undefined,
    INTROSPECTION_URL: `${oidc.issuer}/token/introspection`,
    INTROSPECTION_CLIENT_ID: 'asker',
    INTROSPECTION_CLIENT_SECRET: OIDC_SECRET,
    ...changes,
  });
  const host = () => new URL(oidc.issuer).host;

  it('by a real authorization server gives the client and its role', async () => {
    const { ask } = gate(settings());
    expect(await ask(await oidc.token('analyst', null))).toBe(`analyst ${host()}|client:analyst introspection`);
    expect(await ask(await oidc.token('admin', null))).toBe(`admin ${host()}|client:admin introspection`);
    expect(await ask(await oidc.token('nobody', null))).toBe('unauthenticated');
    expect(await ask(fresh())).toBe('unauthenticated');
  });

  it('with a wrong secret of ours is an outage and not a verdict', async () => {
    const { ask } = gate(settings({ INTROSPECTION_CLIENT_SECRET: 'wrong' }));
    expect(await ask(await oidc.token('admin', null))).toBe('unavailable');
  });

  it('comes after the user service; the one that knows the token is believed, and both must refuse it', async () => {
    const { ask, pass } = gate(settings({ FLASK_API_URL: users.url }));
    expect(await ask(await oidc.token('viewer', null))).toContain('client:viewer');
    await users.mode('error');
    expect(await ask(await oidc.token('viewer', null))).toContain('client:viewer');
    const token = fresh();
    expect(await ask(token)).toBe('unavailable');
    await users.mode('normal');
    pass(5_001);
    expect(await ask(token)).toBe('unauthenticated');
  });
});
