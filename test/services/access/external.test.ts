/** How an introspection answer becomes a caller, over an HTTP client that answers from a table. */
import { describe, expect, it } from 'vitest';
import { createIntrospection } from '../../../src/clients/introspection.ts';
import { type IdentityCall, type IdentityHttp, outage } from '../../../src/clients/oauth-http.ts';
import type { Failure } from '../../../src/schema/failures.ts';
import { createExternalVerifier } from '../../../src/services/access/external.ts';

const NOW = 1_800_000_000_000;
const NOW_SECONDS = NOW / 1_000;
const URL_ = 'https://id.example:8443/oauth/introspect';

function verifier(answer: unknown, options: { audience?: string; status?: number } = {}) {
  const calls: IdentityCall[] = [];
  const http: IdentityHttp = async (_url, call) => {
    calls.push(call ?? {});
    const status = options.status ?? 200;
    return { status, text: JSON.stringify(answer), outage: () => outage('id.example', `answered ${status}`) };
  };
  const service = createIntrospection({ url: URL_, clientId: 'a:b', clientSecret: 'c d+ü', http });
  const external = createExternalVerifier({ services: [service], audience: options.audience, now: () => NOW });
  return {
    calls,
    ask: () =>
      external.verify('opaque').then(
        ({ role, id, name }) => `${role} ${id} (${name})`,
        (failure: Failure) => failure.code,
      ),
  };
}

const ask = (answer: unknown, options: { audience?: string; status?: number } = {}) => verifier(answer, options).ask();
const active = { active: true, sub: 'ada', role: 'viewer' };

describe('introspection', () => {
  it('asks as RFC 7662 and RFC 6749 say', async () => {
    const { calls, ask } = verifier(active);
    await ask();
    expect(calls).toEqual([
      {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          authorization: `Basic ${Buffer.from('a%3Ab:c+d%2B%C3%BC').toString('base64')}`,
        },
        body: 'token=opaque&token_type_hint=access_token',
      },
    ]);
  });

  it.each([
    ['a plain answer', active, 'viewer id.example:8443|ada (id.example:8443|ada)'],
    ['a name', { ...active, username: 'Ada' }, 'viewer id.example:8443|ada (Ada)'],
    [
      'its issuer',
      { ...active, iss: 'https://kc.example/realms/a' },
      'viewer kc.example/realms/a|ada (kc.example/realms/a|ada)',
    ],
    ['an issuer that is no address', { ...active, iss: 'me' }, 'viewer id.example:8443|ada (id.example:8443|ada)'],
    [
      'roles',
      { active: true, sub: 'ada', roles: ['x', 'operator', 'viewer'] },
      'operator id.example:8443|ada (id.example:8443|ada)',
    ],
    ['an explicit admin', { ...active, roles: ['admin'] }, 'admin id.example:8443|ada (id.example:8443|ada)'],
    [
      'a role by scope',
      { active: true, sub: 'ada', scope: 'email ostinato:analyst' },
      'analyst id.example:8443|ada (id.example:8443|ada)',
    ],
    ['admin by scope', { active: true, sub: 'ada', scope: 'ostinato:admin admin' }, 'unauthenticated'],
    ['a plain word as scope', { active: true, sub: 'ada', scope: 'operator' }, 'unauthenticated'],
    [
      'a scope beside roles that say nothing',
      { active: true, sub: 'ada', roles: [], scope: 'ostinato:operator' },
      'unauthenticated',
    ],
    [
      'a client without a user',
      { active: true, client_id: 'ada', role: 'viewer' },
      'viewer id.example:8443|client:ada (ada)',
    ],
    ['nobody', { active: true, role: 'admin' }, 'unauthenticated'],
    ['a dead token', { active: false, sub: 'ada', role: 'admin' }, 'unauthenticated'],
    ['an end in the past', { ...active, exp: NOW_SECONDS }, 'unauthenticated'],
    ['an end to come', { ...active, exp: NOW_SECONDS + 1 }, 'viewer id.example:8443|ada (id.example:8443|ada)'],
    ['a beginning to come', { ...active, nbf: NOW_SECONDS + 31 }, 'unauthenticated'],
    ['no verdict', { sub: 'ada', role: 'admin' }, 'unavailable'],
    ['a verdict that is no boolean', { ...active, active: 'true' }, 'unavailable'],
    ['a list', [active], 'unavailable'],
    ['null', null, 'unavailable'],
  ])('%s', async (_name, answer, expected) => {
    expect(await ask(answer)).toBe(expected);
  });

  it('takes a token for another audience for nobody, where one is configured', async () => {
    expect(await ask({ ...active, aud: ['x', 'us'] }, { audience: 'us' })).toContain('viewer');
    expect(await ask({ ...active, aud: 'them' }, { audience: 'us' })).toBe('unauthenticated');
    expect(await ask({ ...active, aud: 'them' })).toContain('viewer');
  });

  it.each([401, 403, 404, 500, 302, 204])('status %i says nothing about the token', async (status) => {
    expect(await ask(active, { status })).toBe('unavailable');
  });
});
