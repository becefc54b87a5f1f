/** Which published keys are taken, and when they are asked for, over an HTTP client that answers from a table. */
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { createJwks, discoverJwksUrl } from '../../../src/clients/jwks.ts';
import { type IdentityHttp, outage } from '../../../src/clients/oauth-http.ts';
import type { Failure } from '../../../src/schema/failures.ts';

const ISSUER = 'https://id.example/realms/a';
const keys: Record<string, { open: JWK; whole: JWK }> = {};
beforeAll(async () => {
  for (const alg of ['RS256', 'ES256', 'ES384', 'EdDSA']) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    keys[alg] = {
      open: { ...(await exportJWK(publicKey)), kid: alg },
      whole: { ...(await exportJWK(privateKey)), kid: alg },
    };
  }
});

/** What each address answers; a string is no JSON, undefined is no answer. */
function table(answers: Record<string, unknown>): { http: IdentityHttp; asked: string[] } {
  const asked: string[] = [];
  const http: IdentityHttp = async (url) => {
    asked.push(url);
    const answer = answers[url];
    if (answer === undefined) throw outage(new URL(url).host, 'does not answer');
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
    return { status: 200, text, outage: () => outage(new URL(url).host, 'answered 200') };
  };
  return { http, asked };
}

function jwksOf(published: unknown) {
  const answers: Record<string, unknown> = { 'https://id.example/keys': published };
  const { http, asked } = table(answers);
  let at = 0;
  const jwks = createJwks({ http, locate: async () => 'https://id.example/keys', now: () => at });
  return {
    answers,
    asked,
    pass: (ms: number) => {
      at += ms;
    },
    find: (alg: string | undefined, kid?: string) =>
      jwks
        .keysFor({ ...(alg === undefined ? {} : { alg }), ...(kid === undefined ? {} : { kid }) } as { alg: string })
        .then(
          (found) => found.length,
          (failure: Failure) => failure.code,
        ),
  };
}

describe('a published key', () => {
  it.each([
    ['RS256', 'RS256', 1],
    ['PS256', 'RS256', 1],
    ['ES256', 'ES256', 1],
    ['EdDSA', 'EdDSA', 1],
    ['Ed25519', 'EdDSA', 1],
    ['ES256', 'RS256', 0],
    ['RS256', 'ES256', 0],
    ['ES384', 'ES384', 0],
    ['RS512', 'RS256', 0],
    ['HS256', 'RS256', 0],
    ['none', 'RS256', 0],
    [undefined, 'RS256', 0],
  ])('is for %s when it is of that kind (%s: %i)', async (alg, kid, count) => {
    expect(await jwksOf({ keys: Object.values(keys).map((key) => key.open) }).find(alg, kid)).toBe(count);
  });

  it('counts for nothing when it is private, symmetric, for encryption, for another algorithm, or no key', async () => {
    const { open, whole } = keys.ES256 as { open: JWK; whole: JWK };
    for (const key of [
      whole,
      { kty: 'oct', k: 'AAAA', kid: 'ES256', alg: 'HS256' },
      { ...open, use: 'enc' },
      { ...open, key_ops: ['sign'] },
      { ...open, alg: 'ES384' },
      { ...open, x: 'AAAA' },
      null,
      'key',
    ]) {
      const { find } = jwksOf({ keys: [key] });
      expect(await find('ES256', 'ES256'), JSON.stringify(key)).toBe(0);
    }
  });

  it('without an id is tried with every other that suits, eight at most', async () => {
    const many = Array.from({ length: 20 }, () => ({ ...keys.ES256?.open, kid: undefined }));
    expect(await jwksOf({ keys: [...many, keys.RS256?.open] }).find('ES256')).toBe(8);
    expect(await jwksOf({ keys: [...many, keys.RS256?.open] }).find('RS256')).toBe(1);
  });

  it('beyond the hundredth is not looked at', async () => {
    const others = Array.from({ length: 100 }, (_none, n) => ({ ...keys.ES256?.open, kid: `k${n}` }));
    expect(await jwksOf({ keys: [...others, keys.RS256?.open] }).find('RS256', 'RS256')).toBe(0);
  });
});

describe('the key set', () => {
  it('is asked for again after ten minutes, and a key that is gone is gone', async () => {
    const { answers, asked, find, pass } = jwksOf({ keys: [keys.ES256?.open] });
    expect(await find('ES256', 'ES256')).toBe(1);
    answers['https://id.example/keys'] = { keys: [] };
    pass(599_999);
    expect([await find('ES256', 'ES256'), asked.length]).toEqual([1, 1]);
    pass(1);
    expect([await find('ES256', 'ES256'), asked.length]).toEqual([0, 2]);
  });

  it.each([['<html>'], [[]], [{}], [{ keys: 'none' }], [undefined]])(
    'that cannot be read (%j) is an outage, and the known keys stay',
    async (broken) => {
      const { answers, asked, find, pass } = jwksOf({ keys: [keys.ES256?.open] });
      expect(await find('ES256', 'ES256')).toBe(1);
      answers['https://id.example/keys'] = broken;
      pass(600_000);
      expect(await find('ES256', 'ES256')).toBe(1);
      expect(await find('ES256', 'other')).toBe('unavailable');
      expect(asked).toHaveLength(2);
      expect(await jwksOf(broken).find('ES256', 'ES256')).toBe('unavailable');
    },
  );

  it('is asked for once by many at the same time', async () => {
    const { asked, find } = jwksOf({ keys: [keys.ES256?.open] });
    expect(await Promise.all(Array.from({ length: 20 }, () => find('ES256', 'ES256')))).toEqual(Array(20).fill(1));
    expect(asked).toHaveLength(1);
  });
});

describe('discovery', () => {
  const discover = (document: unknown, issuer = ISSUER) =>
    discoverJwksUrl(
      table({ [`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`]: document }).http,
      issuer,
    ).catch((failure: Failure) => failure.code);

  it('finds the address below the path of the issuer', async () => {
    expect(await discover({ issuer: ISSUER, jwks_uri: 'https://keys.example/k' })).toBe('https://keys.example/k');
    const slash = 'https://id.example/';
    expect(await discover({ issuer: slash, jwks_uri: 'https://id.example/k' }, slash)).toBe('https://id.example/k');
  });

  it.each([
    ['another name', { issuer: 'https://id.example/realms/b', jwks_uri: 'https://id.example/k' }],
    ['no address', { issuer: ISSUER }],
    ['an address without TLS', { issuer: ISSUER, jwks_uri: 'http://id.example/k' }],
    ['a file', { issuer: ISSUER, jwks_uri: 'file:///etc/passwd' }],
    ['no document', undefined],
  ])('refuses %s', async (_name, document) => {
    expect(await discover(document)).toBe('unavailable');
  });
});
