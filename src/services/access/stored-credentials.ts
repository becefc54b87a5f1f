/** Keys and sessions that we gave out, looked up by their hash and remembered for a moment. */
import { LRUCache } from 'lru-cache';
import type { Principal } from '../../schema/principal.ts';
import type { Db } from '../../stores/database.ts';
import { findKeyByHash, type KeyRow, touchKey } from '../../stores/keys.ts';
import { findSession } from '../../stores/sessions.ts';
import { refused } from './refused.ts';
import { hashSecret, sameBytes } from './secrets.ts';

/** How long a looked-up key may be used without looking again: the most that a revoked key still works. */
export const REVOCATION_BOUND_MS = 2_000;
const TOUCH_EVERY_MS = 60_000;

export type Credential = { kind: 'token'; value: string } | { kind: 'session'; value: string };

export interface StoredCredentials {
  /** Null for one that was never given out; throws Failure('unauthenticated') for one that has ended. */
  find(credential: Credential): Promise<Principal | null>;
}

interface Found {
  key: KeyRow;
  until: number | null;
}

export function createStoredCredentials(db: Db, now: () => number): StoredCredentials {
  const seen = new LRUCache<string, Found>({ max: 10_000 });
  const stamps = new LRUCache<string, number>({ max: 10_000 });
  const touched = new LRUCache<string, number>({ max: 10_000 });

  async function lookUp(credential: Credential): Promise<Found | undefined> {
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
    async find(credential) {
      const found = await lookUp(credential);
      if (!found) return null;
      if (!isLive(found, now())) throw refused();
      const { key } = found;
      touch(key.key_id);
      return {
        id: key.principal_id,
        name: key.name,
        role: key.role,
        grants: key.grants,
        via: credential.kind === 'session' ? 'session' : 'api_key',
        keyId: key.key_id,
      };
    },
  };
}

function isLive({ key, until }: Found, at: number): boolean {
  if (key.revoked_at !== null) return false;
  if (key.expires_at !== null && key.expires_at.getTime() <= at) return false;
  return until === null || until > at;
}
