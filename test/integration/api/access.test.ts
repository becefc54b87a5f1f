/** Who gets in, on a real database: every kind of bad credential, keys, tokens, sessions; roles are in `../access`. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApi } from '../../../src/api/app.ts';
import { operations } from '../../../src/operations/index.ts';
import { ROLES, type Role } from '../../../src/schema/names.ts';
import { REVOCATION_BOUND_MS } from '../../../src/services/access/authenticate.ts';
import { ensureAdminKey } from '../../../src/services/admin-key.ts';
import { door, JWT_SECRET, makeKey, openStand, type Stand } from './stand.ts';

const routes = operations.flatMap((operation) =>
  operation.http
    ? [
        {
          operation,
          method: operation.http.method.toUpperCase(),
          path: operation.http.path.replace(/\{[^}]+\}/g, '00000000-0000-4000-8000-000000000000'),
        },
      ]
    : [],
);

let stand: Stand;
let api: ReturnType<typeof createApi>;
const keys = new Map<Role, string>();

beforeAll(async () => {
  stand = await openStand();
  api = createApi({ ...door(stand.deps), operations, failedAuthPerMinute: 10_000 });
  for (const role of ROLES) keys.set(role, (await makeKey(stand.deps, role)).key);
});
afterAll(() => stand.close());

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

function keyOf(role: Role): string {
  return keys.get(role) ?? '';
}

function sign(claims: Record<string, unknown>, secret: string, expires: string | number): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(secret));
}

describe('every operation refuses', () => {
  it.each(routes)('$method $path without and with bad credentials', async ({ method, path }) => {
    const past = new Date(Date.now() - 1000);
    const bad: Record<string, Record<string, string>> = {
      none: {},
      wrong: bearer(`ost_${'A'.repeat(43)}`),
      'wrong in X-API-Key': { 'x-api-key': 'nonsense' },
      'another scheme': { authorization: `Basic ${keyOf('admin')}` },
      expired: bearer((await makeKey(stand.deps, 'admin', { expires_at: past })).key),
      revoked: bearer((await makeKey(stand.deps, 'admin', { revoked: true })).key),
      'expired token': bearer(await sign({ sub: 'x', role: 'admin' }, JWT_SECRET, Math.floor(Date.now() / 1000) - 31)),
      'token of another secret': bearer(await sign({ sub: 'x', role: 'admin' }, 'x'.repeat(40), '1h')),
      'token without a role': bearer(await sign({ sub: 'x' }, JWT_SECRET, '1h')),
      'unsigned token': bearer(
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"x","role":"admin","exp":9999999999}').toString('base64url')}.`,
      ),
      'unknown session': { cookie: 'ostinato_session_8080=nonsense' },
    };
    for (const [name, headers] of Object.entries(bad)) {
      const response = await api.request(path, { method, headers });
      expect(response.status, name).toBe(401);
      expect(response.headers.get('content-type'), name).toBe('application/problem+json');
      const body = (await response.json()) as { code: string; request_id: string };
      expect(body.code, name).toBe('unauthenticated');
      expect(body.request_id, name).toBe(response.headers.get('x-request-id'));
    }
  });
});

describe('keys', () => {
  it('are shown once, work, list without the secret, and stop within the bound when revoked', async () => {
    const admin = bearer(keyOf('admin'));
    const created = await api.request('/api/v1/keys', {
      method: 'POST',
      headers: { ...admin, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'For a script', role: 'viewer' }),
    });
    expect(created.status).toBe(201);
    const { key, key_id } = (await created.json()) as { key: string; key_id: string };
    expect(key).toMatch(/^ost_[A-Za-z0-9_-]{43}$/);

    const me = await api.request('/api/v1/whoami', { headers: { 'x-api-key': key } });
    expect(await me.json()).toMatchObject({ id: key_id, role: 'viewer', via: 'api_key' });

    const list = await (await api.request('/api/v1/keys?limit=200', { headers: admin })).text();
    expect(list).toContain(key_id);
    expect(list).not.toContain(key);
    const stored = await stand.deps.db.selectFrom('api_keys').selectAll().execute();
    expect(JSON.stringify(stored)).not.toContain(key);

    expect((await api.request(`/api/v1/keys/${key_id}`, { method: 'DELETE', headers: admin })).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, REVOCATION_BOUND_MS + 50));
    expect((await api.request('/api/v1/whoami', { headers: { 'x-api-key': key } })).status).toBe(401);

    const audit = await (await api.request('/api/v1/audit', { headers: admin })).json();
    expect(JSON.stringify(audit)).toContain(`key:${key_id}`);
    expect(audit.items.some((entry: { operation: string }) => entry.operation === 'keys.revoke')).toBe(true);
    expect(audit.items.some((entry: { operation: string }) => entry.operation === 'authenticate')).toBe(true);
  });

  it('page by cursor without a gap or a repetition', async () => {
    const admin = bearer(keyOf('admin'));
    const all = await (await api.request('/api/v1/keys?limit=200', { headers: admin })).json();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: { key_id: string }[]; next_cursor: string | null; truncated: boolean } = await (
        await api.request(`/api/v1/keys?limit=3${cursor ? `&cursor=${cursor}` : ''}`, { headers: admin })
      ).json();
      seen.push(...page.items.map((item) => item.key_id));
      expect(page.truncated).toBe(page.next_cursor !== null);
      cursor = page.next_cursor;
    } while (cursor);
    expect(seen).toEqual(all.items.map((item: { key_id: string }) => item.key_id));
    expect((await api.request('/api/v1/keys?cursor=nonsense', { headers: admin })).status).toBe(400);
  });
});

describe('tokens and sessions', () => {
  it('takes a signed token, with 30 seconds of clock skew', async () => {
    const claims = { sub: 'ada', role: 'analyst', name: 'Ada', grants: [{ resource: 'owner:bob', access: 'read' }] };
    const token = await sign(claims, JWT_SECRET, Math.floor(Date.now() / 1000) - 20);
    const response = await api.request('/api/v1/whoami', { headers: bearer(token) });
    expect(await response.json()).toMatchObject({ id: 'ada', name: 'Ada', role: 'analyst', via: 'jwt' });
  });

  it('exchanges a key for a cookie that only our own pages can use to change things', async () => {
    const { key } = await makeKey(stand.deps, 'admin');
    const begun = await api.request('/api/v1/session', { method: 'POST', headers: bearer(key) });
    expect(begun.status).toBe(201);
    const header = begun.headers.get('set-cookie') ?? '';
    expect(header).toMatch(/^ostinato_session_8080=[A-Za-z0-9_-]{43};.*HttpOnly.*SameSite=Strict/);
    const cookie = header.split(';')[0] ?? '';
    expect((await api.request('/api/v1/whoami', { headers: { cookie } })).status).toBe(200);

    const body = { method: 'POST', body: JSON.stringify({ name: 'x', role: 'viewer' }) };
    const json = { cookie, 'content-type': 'application/json', host: 'localhost:8080' };
    const attempts: [Record<string, string>, number][] = [
      [{}, 403],
      [{ origin: 'http://localhost:9999' }, 403],
      [{ origin: 'null' }, 403],
      [{ 'sec-fetch-site': 'cross-site', origin: 'http://localhost:8080' }, 403],
      [{ 'sec-fetch-site': 'same-site' }, 403],
      [{ origin: 'http://localhost:8080' }, 201],
      [{ 'sec-fetch-site': 'same-origin' }, 201],
    ];
    for (const [extra, status] of attempts) {
      const response = await api.request('/api/v1/keys', { ...body, headers: { ...json, ...extra } });
      expect(response.status, JSON.stringify(extra)).toBe(status);
    }

    const ended = await api.request('/api/v1/session', {
      method: 'DELETE',
      headers: { cookie, 'sec-fetch-site': 'same-origin' },
    });
    expect(ended.status).toBe(204);
    await new Promise((resolve) => setTimeout(resolve, REVOCATION_BOUND_MS + 50));
    expect((await api.request('/api/v1/whoami', { headers: { cookie } })).status).toBe(401);
  });

  it('slows down guessing, and lets a caller through that was here before', async () => {
    const slow = createApi({ ...door(stand.deps), operations, failedAuthPerMinute: 3 });
    const good = bearer(keyOf('viewer'));
    expect((await slow.request('/api/v1/whoami', { headers: good })).status).toBe(200);
    const statuses = [];
    for (let n = 0; n < 5; n++) {
      statuses.push((await slow.request('/api/v1/whoami', { headers: bearer(`guess-${n}`) })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    const refused = await slow.request('/api/v1/whoami', { headers: bearer('guess') });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await slow.request('/api/v1/whoami', { headers: good })).status).toBe(200);
  });
});

describe('ensureAdminKey', () => {
  it('makes one key from two processes at once, and follows API_KEY', async () => {
    await stand.deps.db.updateTable('api_keys').set({ revoked_at: new Date() }).where('role', '=', 'admin').execute();
    const both = await Promise.all([ensureAdminKey(stand.databaseUrl, {}), ensureAdminKey(stand.databaseUrl, {})]);
    expect(both.filter(({ created }) => created)).toHaveLength(1);
    const key = both.find(({ created }) => created)?.key ?? '';
    expect((await api.request('/api/v1/audit', { headers: bearer(key) })).status).toBe(200);

    const first = 'an-api-key-from.the.settings';
    const second = 'another-key-from-the-settings';
    expect(await ensureAdminKey(stand.databaseUrl, { API_KEY: first })).toEqual({ created: true });
    expect(await ensureAdminKey(stand.databaseUrl, { API_KEY: first })).toEqual({ created: false });
    expect((await api.request('/api/v1/audit', { headers: bearer(first) })).status).toBe(200);
    await ensureAdminKey(stand.databaseUrl, { API_KEY: second });
    await new Promise((resolve) => setTimeout(resolve, REVOCATION_BOUND_MS + 50));
    expect((await api.request('/api/v1/audit', { headers: bearer(first) })).status).toBe(401);
    expect((await api.request('/api/v1/audit', { headers: bearer(second) })).status).toBe(200);
  });
});
