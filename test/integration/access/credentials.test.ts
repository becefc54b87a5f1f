/** Credentials for outgoing calls: stored sealed, seen by their owner, and used towards a real authorization server. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApi } from '../../../src/api/app.ts';
import { createEgress, type Egress } from '../../../src/clients/egress.ts';
import { operations } from '../../../src/operations/index.ts';
import type { Failure } from '../../../src/schema/failures.ts';
import { authorizeOutgoing, forget, type OutgoingDeps } from '../../../src/services/access/outgoing.ts';
import { OIDC_SECRET, type OidcServer, startOidc } from '../../support/servers/oidc.ts';
import { door, makeKey, openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
let oidc: OidcServer;
let api: ReturnType<typeof createApi>;
beforeAll(async () => {
  [stand, oidc] = await Promise.all([openStand(), startOidc()]);
  api = createApi({ ...door(stand.deps), operations });
});
afterAll(() => Promise.all([stand.close(), oidc.stop()]));

async function caller(role: 'developer' | 'operator' | 'admin' | 'analyst' = 'developer') {
  const { key, principal_id } = await makeKey(stand.deps, role);
  const call = async (method: string, path: string, body?: object) => {
    const response = await api.request(`/api/v1/credentials${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    return { status: response.status, text, body: JSON.parse(text) };
  };
  return { principal_id, call };
}

/** Counts what goes out. A guard of its own, so that no kept token of another test is there. */
function outgoing(allow = ['127.0.0.1']): { deps: OutgoingDeps; calls: string[] } {
  const guard = createEgress({ allow, maxBytes: 1_000_000, timeoutMs: 10_000 });
  const calls: string[] = [];
  const egress: Pick<Egress, 'fetch'> = {
    fetch(url, options) {
      calls.push(`${options?.method ?? 'GET'} ${new URL(url).pathname}`);
      return guard.fetch(url, options);
    },
  };
  return { deps: { db: stand.deps.db, config: stand.deps.config, egress }, calls };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fine',
    (failure: Failure) => `${failure.code}: ${failure.message}`,
  );

describe('the operations', () => {
  const bearer = { name: 'crm', kind: 'bearer', secret: 'a-very-secret-token' };

  it('store a secret that no answer, row or audit entry shows', async () => {
    const { call, principal_id } = await caller();
    const created = await call('POST', '', bearer);
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ owner: principal_id, name: 'crm', kind: 'bearer', config: {} });
    const list = await call('GET', '');
    expect(list.body.items).toEqual([created.body]);
    expect(created.text + list.text).not.toContain(bearer.secret);
    const dump = await stand.deps.db.selectFrom('outbound_credentials').selectAll().execute();
    expect(dump.map((row) => row.sealed.toString('latin1')).join()).not.toContain('secret');
    const audit = await stand.deps.db
      .selectFrom('audit_log')
      .selectAll()
      .where('operation', '=', 'credentials.create')
      .execute();
    expect(audit.map((row) => row.resource)).toContain(`credential:${created.body.credential_id}`);
    expect(JSON.stringify(audit)).not.toContain(bearer.secret);
    expect(await authorizeOutgoing(outgoing().deps, principal_id, 'crm')).toEqual({
      authorization: 'Bearer a-very-secret-token',
    });

    expect((await call('POST', '', bearer)).status).toBe(409);
    const deleted = await call('DELETE', `/${created.body.credential_id}`);
    expect(deleted.status).toBe(200);
    expect((await call('DELETE', `/${created.body.credential_id}`)).status).toBe(404);
    expect(await codeOf(authorizeOutgoing(outgoing().deps, principal_id, 'crm'))).toMatch(/^not_found/);
  });

  it("keep each caller's own; names meet nobody else's", async () => {
    const [ada, bob, operator, analyst] = [
      await caller(),
      await caller(),
      await caller('operator'),
      await caller('analyst'),
    ];
    const hers = (await ada.call('POST', '', bearer)).body;
    const his = (await bob.call('POST', '', { ...bearer, secret: 'his' })).body;
    expect((await bob.call('GET', '')).body.items).toEqual([his]);
    expect((await bob.call('DELETE', `/${hers.credential_id}`)).status).toBe(404);
    expect((await analyst.call('GET', '')).status).toBe(403);
    expect(await codeOf(authorizeOutgoing(outgoing().deps, ada.principal_id, 'other'))).toMatch(/^not_found/);
    expect(await authorizeOutgoing(outgoing().deps, bob.principal_id, 'crm')).toEqual({ authorization: 'Bearer his' });
    expect((await operator.call('GET', '?limit=200')).body.items).toEqual(expect.arrayContaining([hers, his]));
    expect((await operator.call('DELETE', `/${hers.credential_id}`)).status).toBe(200);
  });

  it('page without a gap or a repetition', async () => {
    const { call } = await caller();
    for (let n = 0; n < 5; n++) await call('POST', '', { ...bearer, name: `c${n}` });
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await call('GET', `?limit=2${cursor ? `&cursor=${cursor}` : ''}`);
      seen.push(...body.items.map((item: { name: string }) => item.name));
      cursor = body.next_cursor;
    }
    expect(seen).toEqual(['c4', 'c3', 'c2', 'c1', 'c0']);
  });

  const oauth = { kind: 'oauth2_client_credentials', token_url: 'https://id.example/token', client_id: 'us' };
  it.each([
    ['no secret', { kind: 'bearer', secret: undefined }, 'secret'],
    ['a name with a slash', { name: 'a/b' }, 'name'],
    ['an unknown kind', { kind: 'ntlm' }, 'kind'],
    ['a secret with a line break in a header', { secret: 'a\r\nx-evil: 1' }, 'secret'],
    ['basic without a user', { kind: 'basic' }, 'username'],
    ['a user with a colon', { kind: 'basic', username: 'a:b' }, 'username'],
    ['a header without a name', { kind: 'header' }, 'header'],
    ['the header Host', { kind: 'header', header: 'Host' }, 'header'],
    ['the header Content-Length', { kind: 'header', header: 'content-LENGTH' }, 'header'],
    ['a header that is none', { kind: 'header', header: 'a b' }, 'header'],
    ['a client without an address', { ...oauth, token_url: undefined }, 'token_url'],
    ['an address with a password in it', { ...oauth, token_url: 'https://a:b@id.example/token' }, 'token_url'],
    ['an address of a file', { ...oauth, token_url: 'file:///etc/passwd' }, 'token_url'],
    ['a field of another kind', { kind: 'bearer', client_id: 'us' }, 'client_id'],
  ])('refuse %s', async (_name, changes, path) => {
    const { call } = await caller();
    const { status, body } = await call('POST', '', { ...bearer, ...changes });
    expect(status).toBe(400);
    expect(body.errors.map((error: { path: string }) => error.path)).toContain(path);
  });

  it('says that MASTER_KEY changed instead of sending nonsense', async () => {
    const { call, principal_id } = await caller();
    await call('POST', '', bearer);
    const { deps } = outgoing();
    const other = { ...deps, config: { ...deps.config, MASTER_KEY: '99'.repeat(32) } };
    expect(await codeOf(authorizeOutgoing(other, principal_id, 'crm'))).toMatch(/^unsealable: .*another MASTER_KEY/);
    // A row moved to another owner does not open there.
    await stand.deps.db
      .updateTable('outbound_credentials')
      .set({ owner: 'thief' })
      .where('owner', '=', principal_id)
      .execute();
    expect(await codeOf(authorizeOutgoing(deps, 'thief', 'crm'))).toMatch(/^unsealable: .*altered/);
  });
});

describe('an outgoing call', () => {
  it('carries basic and header credentials as they were given', async () => {
    const { call, principal_id } = await caller();
    await call('POST', '', { name: 'b', kind: 'basic', username: 'ü', secret: 'p:w' });
    await call('POST', '', { name: 'h', kind: 'header', header: 'X-Api-Key', secret: 'k' });
    const { deps } = outgoing();
    const basic = `Basic ${Buffer.from('ü:p:w').toString('base64')}`;
    expect(await authorizeOutgoing(deps, principal_id, 'b')).toEqual({ authorization: basic });
    expect(await authorizeOutgoing(deps, principal_id, 'h')).toEqual({ 'x-api-key': 'k' });
  });

  const oauth = (changes: object = {}) => ({
    name: 'idp',
    kind: 'oauth2_client_credentials',
    token_url: `${oidc.issuer}/token`,
    client_id: 'viewer',
    auth_method: 'client_secret_post',
    secret: OIDC_SECRET,
    ...changes,
  });

  it('gets a token by client credentials, once for all who want it, and again when it is forgotten', async () => {
    const { call, principal_id } = await caller();
    expect((await call('POST', '', oauth())).status).toBe(201);
    const { deps, calls } = outgoing();
    const [first, ...others] = await Promise.all(
      Array.from({ length: 10 }, () => authorizeOutgoing(deps, principal_id, 'idp')),
    );
    expect(first?.authorization).toMatch(/^Bearer [\w-]{20,}$/);
    expect(new Set(others.map((headers) => headers.authorization))).toEqual(new Set([first?.authorization]));
    expect(calls).toEqual(['POST /token']);
    forget(deps, principal_id, 'idp', { authorization: 'Bearer an older one' });
    expect(await authorizeOutgoing(deps, principal_id, 'idp')).toEqual(first);
    forget(deps, principal_id, 'idp', first);
    const second = await authorizeOutgoing(deps, principal_id, 'idp');
    expect(second.authorization).not.toBe(first?.authorization);
    expect(calls).toHaveLength(2);
    // The server knows it as ours.
    const basic = Buffer.from(`asker:${new URLSearchParams({ '': OIDC_SECRET }).toString().slice(1)}`).toString(
      'base64',
    );
    const asked = await fetch(`${oidc.issuer}/token/introspection`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ token: second.authorization?.slice(7) ?? '' }),
    });
    expect(await asked.json()).toMatchObject({ active: true, client_id: 'viewer' });
  });

  it('proves itself by HTTP basic unless told otherwise', async () => {
    const { call, principal_id } = await caller();
    await call('POST', '', oauth({ client_id: 'asker', auth_method: undefined }));
    expect((await authorizeOutgoing(outgoing().deps, principal_id, 'idp')).authorization).toMatch(/^Bearer/);
  });

  it('says what the token server says, and asks again next time', async () => {
    const { call, principal_id } = await caller();
    await call('POST', '', oauth({ secret: 'wrong' }));
    const { deps, calls } = outgoing();
    for (let n = 1; n <= 2; n++) {
      expect(await codeOf(authorizeOutgoing(deps, principal_id, 'idp'))).toMatch(
        /^credential_refused: .* \(invalid_client\)$/,
      );
      expect(calls).toHaveLength(n);
    }
  });

  it('does not ask a token server where outgoing calls may not go', async () => {
    const { call, principal_id } = await caller();
    await call('POST', '', oauth());
    expect(await codeOf(authorizeOutgoing(outgoing([]).deps, principal_id, 'idp'))).toMatch(/^egress_denied/);
    await call('POST', '', oauth({ name: 'clear', token_url: 'http://id.example/token' }));
    expect(await codeOf(authorizeOutgoing(outgoing().deps, principal_id, 'clear'))).toMatch(/^egress_denied: .*https/);
  });

  it('drops what was kept when the credential is made anew under the same name', async () => {
    const { call, principal_id } = await caller();
    const { body } = await call('POST', '', oauth());
    const { deps, calls } = outgoing();
    await authorizeOutgoing(deps, principal_id, 'idp');
    await call('DELETE', `/${body.credential_id}`);
    expect(await codeOf(authorizeOutgoing(deps, principal_id, 'idp'))).toMatch(/^not_found/);
    await call('POST', '', oauth({ secret: 'wrong' }));
    expect(await codeOf(authorizeOutgoing(deps, principal_id, 'idp'))).toMatch(/^credential_refused/);
    expect(calls).toHaveLength(2);
  });
});

describe('a token server of every mood', () => {
  let server: Server;
  let url = '';
  let answer: { status: number; body: string } = { status: 200, body: '' };
  const seen: { authorization: string | undefined; body: string }[] = [];
  beforeAll(async () => {
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      seen.push({ authorization: request.headers.authorization, body: Buffer.concat(chunks).toString() });
      return response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const token = (value: unknown, changes: object = {}) => ({
    status: 200,
    body: JSON.stringify({ access_token: value, token_type: 'bearer', expires_in: 3_600, ...changes }),
  });

  async function client(changes: object = {}) {
    const { call, principal_id } = await caller();
    const body = {
      name: 'svc',
      kind: 'oauth2_client_credentials',
      token_url: `${url}/token`,
      client_id: 'us',
      secret: 's',
      ...changes,
    };
    expect((await call('POST', '', body)).status).toBe(201);
    return { ...outgoing(), owner: principal_id };
  }

  it('is asked for the scope and audience of the credential', async () => {
    const { deps, owner } = await client({ scope: 'a b', audience: 'https://them' });
    answer = token('T1');
    expect(await authorizeOutgoing(deps, owner, 'svc')).toEqual({ authorization: 'Bearer T1' });
    expect(seen.at(-1)?.body).toBe('scope=a+b&audience=https%3A%2F%2Fthem&grant_type=client_credentials');
  });

  it.each([
    ['no token', { status: 200, body: '{}' }, 'credential_refused'],
    ['a token that would break a header', token('a\r\nx: y'), 'credential_refused'],
    ['no JSON', { status: 200, body: '<html>' }, 'credential_refused'],
    [
      'a refusal',
      { status: 400, body: '{"error":"invalid_grant","error_description":"<leak>"}' },
      'credential_refused',
    ],
    ['a fault of its own', { status: 503, body: '{}' }, 'fetch_failed'],
    ['too many requests', { status: 429, body: '{"error":"slow_down"}' }, 'fetch_failed'],
    ['a redirect', { status: 302, body: '' }, 'credential_refused'],
  ])('answering with %s gives no token', async (_name, given, code) => {
    const { deps, owner } = await client();
    answer = given;
    const said = await codeOf(authorizeOutgoing(deps, owner, 'svc'));
    expect(said.split(':')[0]).toBe(code);
    expect(said).not.toContain('leak');
    answer = token('T2');
    expect(await authorizeOutgoing(deps, owner, 'svc')).toEqual({ authorization: 'Bearer T2' });
  });

  it('gives a token that is left shortly before its end', async () => {
    const { deps, owner, calls } = await client();
    answer = token('T3', { expires_in: 0 });
    await authorizeOutgoing(deps, owner, 'svc');
    answer = token('T4', { expires_in: 3_600 });
    expect(await authorizeOutgoing(deps, owner, 'svc')).toEqual({ authorization: 'Bearer T4' });
    await authorizeOutgoing(deps, owner, 'svc');
    expect(calls).toHaveLength(2);
  });
});
