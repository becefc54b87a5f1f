/** Finds out who is calling, from an API key, a JWT or a session token. */
import { LRUCache } from 'lru-cache';
import type { Config } from '../../schema/config.ts';
import type { Principal } from '../../schema/principal.ts';
import type { Db } from '../../stores/database.ts';
import { findKeyByHash, type KeyRow, touchKey } from '../../stores/keys.ts';
import { findSession } from '../../stores/sessions.ts';
import { createJwtVerifier } from './jwt.ts';
import { refused } from './refused.ts';
import { hashSecret, sameBytes } from './secrets.ts';

/** How long a looked-up key may be used without looking again: the most that a revoked key still works. */
export const REVOCATION_BOUND_MS = 2_000;
const TOUCH_EVERY_MS = 60_000;
/** Three parts of which the first begins with `{"` in base64url; an API_KEY of one's own may hold dots. */
const JWT = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/;

export type Credential = { kind: 'token'; value: string } | { kind: 'session'; value: string };

export interface Authenticator {
  /** Throws Failure('unauthenticated') for anything unknown, expired or revoked; never says which to the caller. */
  authenticate(credential: Credential): Promise<Principal>;
}

interface Found {
  key: KeyRow;
  until: number | null;
}

/** Keys and JWTs may come in the same header; a JWT is told by its shape. */
export function createAuthenticator(options: {
  db: Db;
  config: Pick<Config, 'JWT_SECRET'>;
  now?: () => number;
}): Authenticator {
  const { db } = options;
  const now = options.now ?? Date.now;
  const verifyJwt = createJwtVerifier(options.config.JWT_SECRET ?? null, now);
  const seen = new LRUCache<string, Found>({ max: 10_000 });
  const stamps = new LRUCache<string, number>({ max: 10_000 });
  const touched = new LRUCache<string, number>({ max: 10_000 });

  async function find(credential: Credential): Promise<Found | undefined> {
    const hash = hashSecret(credential.value);
    const id = `${credential.kind}:${hash.toString('hex')}`;
    const cached = seen.get(id);
    if (cached && now() - (stamps.get(id) ?? 0) < REVOCATION_BOUND_MS) return cached;
    const asked = now();
    const found = credential.kind === 'session' ? await bySession(hash) : await byKey(hash);
    if (!found) {
      seen.delete(id);
      return undefined;
    }
    seen.set(id, found);
    // The moment before the question was asked, so that the bound holds from the revocation on.
    stamps.set(id, asked);
    return found;
  }

  async function byKey(hash: Buffer): Promise<Found | undefined> {
    const key = await findKeyByHash(db, hash);
    return key && sameBytes(key.hash, hash) ? { key, until: null } : undefined;
  }

  async function bySession(hash: Buffer): Promise<Found | undefined> {
    const session = await findSession(db, hash);
    if (!session || !sameBytes(session.hash, hash)) return undefined;
    return { key: session.key, until: session.expires_at.getTime() };
  }

  function touch(keyId: string): void {
    if (now() - (touched.get(keyId) ?? 0) < TOUCH_EVERY_MS) return;
    touched.set(keyId, now());
    // Only information: a failure here must not fail the call.
    touchKey(db, keyId).catch(() => {});
  }

  return {
    async authenticate(credential) {
      if (credential.kind === 'token' && JWT.test(credential.value)) return verifyJwt(credential.value);
      const found = await find(credential);
      if (!found || !isLive(found, now())) throw refused();
      touch(found.key.key_id);
      return {
        id: found.key.principal_id,
        name: found.key.name,
        role: found.key.role,
        grants: found.key.grants,
        via: credential.kind === 'session' ? 'session' : 'api_key',
        keyId: found.key.key_id,
      };
    },
  };
}

function isLive({ key, until }: Found, at: number): boolean {
  if (key.revoked_at !== null) return false;
  if (key.expires_at !== null && key.expires_at.getTime() <= at) return false;
  return until === null || until > at;
}
