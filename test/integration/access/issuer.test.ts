/** Tokens of a real issuer: who gets in, which forgeries do not, and what rotation and an outage of the issuer change. */
import { createPublicKey } from 'node:crypto';
import {
  base64url,
  CompactSign,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIdentityHttp } from '../../../src/clients/oauth-http.ts';
import type { Failure } from '../../../src/schema/failures.ts';
import { type AccessConfig, createAuthenticator } from '../../../src/services/access/authenticate.ts';
import type { Db } from '../../../src/stores/database.ts';
import { OIDC_AUDIENCE, type OidcServer, startOidc } from '../../support/servers/oidc.ts';

const OWN_SECRET = 'a secret of the tests, forty characters';

let oidc: OidcServer;
beforeAll(async () => {
  oidc = await startOidc();
});
afterAll(() => oidc.stop());

/** An authenticator of our own clock that counts what it asks the issuer. No JWT ever reaches the database. */
function gate(changes: Partial<AccessConfig> = {}) {
  let at = Date.now();
  const asked: string[] = [];
  const http = createIdentityHttp({ timeoutMs: 10_000 });
  const authenticator = createAuthenticator({
    db: null as unknown as Db,
    config: {
      publicUrl: 'http://127.0.0.1:8080',
      JWT_SECRET: OWN_SECRET,
      JWT_ISSUER: oidc.issuer,
      JWT_AUDIENCE: OIDC_AUDIENCE,
      JWT_ROLE_CLAIM: 'role',
      ...changes,
    } as AccessConfig,
    now: () => at,
    http: (url, call) => {
      asked.push(new URL(url).pathname);
      return http(url, call);
    },
  });
  return {
    asked,
    now: () => at,
    pass: (ms: number) => {
      at += ms;
    },
    ask: (value: string) =>
      authenticator.authenticate({ kind: 'token', value }).then(
        (principal) => `${principal.role} ${principal.id} ${principal.via}`,
        (failure: Failure) => failure.code,
      ),
    askFor: (value: string) => authenticator.authenticate({ kind: 'token', value }),
  };
}

const host = () => new URL(oidc.issuer).host;
const soon = () => Math.floor(Date.now() / 1000);

/** What an honest token of the issuer says, with changes; undefined takes a claim away. */
function claims(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const all = { iss: oidc.issuer, aud: OIDC_AUDIENCE, sub: 'ada', role: 'viewer', iat: soon(), exp: soon() + 300 };
  return Object.fromEntries(Object.entries({ ...all, ...changes }).filter(([, value]) => value !== undefined));
}

/** Signed by a key of the issuer unless told, as no honest server would. */
async function forge(changes: Record<string, unknown> = {}, header: Partial<JWTHeaderParameters> = {}, key?: JWK) {
  const alg = header.alg ?? 'ES256';
  const jwk = key ?? oidc.keys[alg === 'PS256' ? 'RS256' : alg] ?? {};
  return new SignJWT(claims(changes))
    .setProtectedHeader({ kid: jwk.kid ?? '', ...header, alg })
    .sign(await importJWK(jwk, alg));
}

describe('a token of the issuer', () => {
  it.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('gets in, signed with %s by the issuer itself', async (alg) => {
    const { ask } = gate();
    expect(await ask(await oidc.token('analyst', alg))).toBe(`analyst ${host()}|analyst jwt`);
    expect(await ask(await oidc.token('admin', alg))).toBe(`admin ${host()}|admin jwt`);
    expect(await ask(await oidc.token('nobody', alg))).toBe('unauthenticated');
  });

  it('is checked against the keys of JWT_JWKS_URL without discovery, read once', async () => {
    const { ask, asked } = gate({ JWT_JWKS_URL: `${oidc.issuer}/jwks` });
    for (let n = 0; n < 3; n++) expect(await ask(await oidc.token('viewer', 'ES256'))).toContain('viewer');
    expect(asked).toEqual(['/jwks']);
    const discovered = gate();
    await Promise.all(Array.from({ length: 20 }, async () => discovered.ask(await forge())));
    expect(discovered.asked).toEqual(['/.well-known/openid-configuration', '/jwks']);
  });

  it('says its role by the claim that is configured, and its name for people', async () => {
    const nested = gate({ JWT_ROLE_CLAIM: 'realm_access.roles' });
    const token = await forge({ role: 'admin', realm_access: { roles: ['x', 'analyst', 'viewer'] }, name: 'Ada L.' });
    expect(await nested.askFor(token)).toEqual({
      id: `${host()}|ada`,
      name: 'Ada L.',
      role: 'analyst',
      grants: [],
      via: 'jwt',
      keyId: null,
    });
    const url = gate({ JWT_ROLE_CLAIM: 'https://example.com/role' });
    expect(await url.ask(await forge({ role: undefined, 'https://example.com/role': 'operator' }))).toContain(
      'operator',
    );
    expect(await url.ask(await forge())).toBe('unauthenticated');
  });

  it('must be meant for our own address when no audience is configured', async () => {
    const { ask } = gate({ JWT_AUDIENCE: undefined });
    expect(await ask(await forge())).toBe('unauthenticated');
    expect(await ask(await forge({ aud: ['http://else', 'http://127.0.0.1:8080'] }))).toContain('viewer');
  });

  it('may be off by 30 seconds of clock, in each direction', async () => {
    const { ask } = gate();
    for (const [claim, off] of [
      ['exp', -25],
      ['nbf', 25],
      ['iat', 25],
    ] as const) {
      expect(await ask(await forge({ [claim]: soon() + off })), claim).toContain('viewer');
    }
  });
});

describe('refuses', () => {
  const publicPem = (key: JWK) =>
    createPublicKey({ key: { ...key, d: undefined, p: undefined, q: undefined } as never, format: 'jwk' });
  const hs = (secret: Uint8Array, kid?: string) =>
    new SignJWT(claims({ role: 'admin' }))
      .setProtectedHeader({ alg: 'HS256', ...(kid === undefined ? {} : { kid }) })
      .sign(secret);
  const unsigned = (alg: string, tail = '') =>
    `${base64url.encode(JSON.stringify({ alg }))}.${base64url.encode(JSON.stringify(claims()))}.${tail}`;

  const cases: Record<string, () => Promise<string> | string> = {
    'another issuer': () => forge({ iss: 'https://evil.example' }),
    'the issuer under another spelling': () => forge({ iss: `${oidc.issuer}/` }),
    'no issuer': () => forge({ iss: undefined }),
    'another audience': () => forge({ aud: 'https://else.example' }),
    'no audience': () => forge({ aud: undefined }),
    'expired 31 s ago': () => forge({ exp: soon() - 32 }),
    'no end': () => forge({ exp: undefined }),
    'valid only in 31 s': () => forge({ nbf: soon() + 33 }),
    'issued in the future': () => forge({ iat: soon() + 33 }),
    'no subject': () => forge({ sub: undefined }),
    'an empty subject': () => forge({ sub: ' ' }),
    'a subject with a line break': () => forge({ sub: 'a\nb' }),
    'no role': () => forge({ role: undefined }),
    'an unknown role': () => forge({ role: ['root', 'ADMIN', 'not admin', 7, null] }),
    'a role of the prototype': () => forge({ role: 'constructor' }),
    'alg none': () => unsigned('none'),
    'alg None with a signature': () => unsigned('None', 'AAAA'),
    'HS256 keyed with the public key as PEM': () =>
      hs(Buffer.from(publicPem(oidc.keys.RS256 ?? {}).export({ type: 'spki', format: 'pem' })), oidc.keys.RS256?.kid),
    'HS256 keyed with the public key as DER': () =>
      hs(publicPem(oidc.keys.ES256 ?? {}).export({ type: 'spki', format: 'der' }), oidc.keys.ES256?.kid),
    'HS256 keyed with the public modulus': () => hs(base64url.decode(oidc.keys.RS256?.n ?? ''), oidc.keys.RS256?.kid),
    'HS256 with our own secret in the name of the issuer': () => hs(new TextEncoder().encode(OWN_SECRET)),
    'a key of another type under a known id': () => forge({}, { alg: 'ES256', kid: oidc.keys.RS256?.kid ?? '' }),
    'RS512 with a key of the issuer': () => forge({}, { alg: 'RS512' }, oidc.keys.RS256),
    'a critical header that nobody knows': async () =>
      new CompactSign(Buffer.from(JSON.stringify(claims())))
        .setProtectedHeader({ alg: 'ES256', kid: oidc.keys.ES256?.kid ?? '', crit: ['x'], x: 1 })
        .sign(await importJWK(oidc.keys.ES256 ?? {}, 'ES256'), { crit: { x: true } }),
    'a header that brings its own key': async () => {
      const evil = await ownKey();
      return forge({ role: 'admin' }, { jwk: { ...evil, d: undefined } as never, kid: 'mine' }, evil);
    },
    'a header that names its own key set': async () =>
      forge({ role: 'admin' }, { jku: 'http://127.0.0.1:1/jwks', kid: 'mine' }, await ownKey()),
    'another key under a known id': async () =>
      forge({ role: 'admin' }, { kid: oidc.keys.ES256?.kid ?? '' }, await ownKey()),
    'another key without an id': async () => forge({ role: 'admin' }, { kid: undefined } as never, await ownKey()),
    'a signature cut off': async () => (await forge()).slice(0, -4),
    'a payload exchanged': async () => {
      const [head, , tail] = (await forge()).split('.');
      return `${head}.${base64url.encode(JSON.stringify(claims({ role: 'admin' })))}.${tail}`;
    },
    'no JSON inside': () => 'eyJhbGciOiJFUzI1NiJ9.AAAA.AAAA',
  };
  it.each(Object.entries(cases))('%s', async (_name, make) => {
    const { ask } = gate();
    expect(await ask(await forge())).toContain('viewer');
    expect(await ask(await make())).toBe('unauthenticated');
  });

  it('a token of our own that takes the id of somebody else', async () => {
    const { ask } = gate();
    const own = (sub: string) =>
      new SignJWT({ sub, role: 'admin', exp: soon() + 60 })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(OWN_SECRET));
    expect(await ask(await own('ada'))).toBe('admin ada jwt');
    expect(await ask(await own(`${host()}|ada`))).toBe('unauthenticated');
  });
});

async function ownKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, kid: await calculateJwkThumbprint(jwk) };
}

describe('the keys', () => {
  it('are read again for an unknown id, but not for every one that somebody makes up', async () => {
    const { ask, asked, pass } = gate({ JWT_JWKS_URL: `${oidc.issuer}/jwks` });
    const before = await oidc.token('viewer', 'ES256');
    expect(await ask(before)).toContain('viewer');
    await oidc.rotate();
    const after = await oidc.token('viewer', 'ES256');
    pass(10_000);
    expect(await Promise.all([ask(after), ask(after), ask(after)])).toEqual(
      Array(3).fill(expect.stringMatching('viewer')),
    );
    expect(asked).toHaveLength(2);
    // The old key is gone from the set, so its tokens end with it.
    expect(await ask(before)).toBe('unauthenticated');
    const evil = await ownKey();
    for (let n = 0; n < 20; n++)
      expect(await ask(await forge({}, { kid: `made-up-${n}` }, evil))).toBe('unauthenticated');
    expect(asked).toHaveLength(2);
    pass(10_000);
    for (let n = 0; n < 20; n++) await ask(await forge({}, { kid: `made-up-${n}` }, evil));
    expect(asked).toHaveLength(3);
  });

  it('that are known stay in use while the issuer is away; an unknown one is 503 and not 401', async () => {
    const { ask, askFor, asked, pass } = gate();
    const known = await oidc.token('viewer', 'ES256');
    const stranger = await forge({}, { kid: 'next' }, await ownKey());
    expect(await ask(known)).toContain('viewer');
    const fresh = gate();
    await oidc.service.stop();
    try {
      pass(10_000);
      expect(await ask(stranger)).toBe('unavailable');
      const failure = await askFor(stranger).catch((error: Failure) => error);
      expect((failure as Failure).retryAfterSeconds).toBe(10);
      expect((failure as Failure).message).not.toContain('stack');
      expect(await ask(known)).toContain('viewer');
      // An algorithm that no key of the issuer may use is refused without asking anybody.
      expect(await ask(await forge({}, { alg: 'RS512' }, oidc.keys.RS256))).toBe('unauthenticated');
      expect(await fresh.ask(known)).toBe('unavailable');
      const questions = asked.length;
      for (let n = 0; n < 10; n++) expect(await ask(stranger)).toBe('unavailable');
      expect(asked).toHaveLength(questions);
      // Old keys are still used after the time at which they would be read again.
      pass(600_000 - 100_000);
      expect(await ask(await forge({ exp: soon() + 3_600 }))).toContain('viewer');
      pass(200_000);
      expect(await ask(await forge({ exp: soon() + 3_600 }))).toContain('viewer');
    } finally {
      await oidc.rotate();
    }
    pass(10_000);
    expect(await ask(stranger)).toBe('unauthenticated');
    fresh.pass(10_000);
    expect(await fresh.ask(await oidc.token('viewer', 'ES256'))).toContain('viewer');
  });

  it('are not taken from an issuer that calls itself by another name', async () => {
    const other = gate({ JWT_ISSUER: oidc.issuer.replace('127.0.0.1', 'localhost') });
    expect(await other.ask(await forge({ iss: oidc.issuer.replace('127.0.0.1', 'localhost') }))).toBe('unavailable');
  });
});
