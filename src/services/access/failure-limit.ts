/** Slows down guessing: so many failed authentications per address and minute, then none are looked at. */
import { LRUCache } from 'lru-cache';
import { Failure } from '../../schema/failures.ts';
import { hashSecret } from './secrets.ts';

const WINDOW_MS = 60_000;
const KNOWN_FOR_MS = 3_600_000;

export interface FailureLimit {
  /** Throws Failure('too_many_requests') when this address has failed too often and this credential is not a known good one. */
  check(address: string, credential: string): void;
  failed(address: string): void;
  succeeded(credential: string): void;
}

/**
 * A credential that worked within the last hour is let through from a blocked address too: behind one address
 * (loopback, a proxy) one caller's mistakes must not lock out the others.
 */
export function createFailureLimit(options: { perMinute?: number; now?: () => number } = {}): FailureLimit {
  const perMinute = options.perMinute ?? 20;
  const now = options.now ?? Date.now;
  const failures = new LRUCache<string, { since: number; count: number }>({ max: 10_000 });
  const known = new LRUCache<string, number>({ max: 10_000 });
  const id = (credential: string) => hashSecret(credential).toString('base64');
  return {
    check(address, credential) {
      const entry = failures.get(address);
      if (!entry || entry.count < perMinute) return;
      const left = entry.since + WINDOW_MS - now();
      if (left <= 0 || now() - (known.get(id(credential)) ?? Number.NEGATIVE_INFINITY) < KNOWN_FOR_MS) return;
      throw new Failure('too_many_requests', 'Too many failed authentications from this address', {
        retryAfterSeconds: Math.ceil(left / 1000),
      });
    },
    failed(address) {
      const entry = failures.get(address);
      if (!entry || now() - entry.since >= WINDOW_MS) failures.set(address, { since: now(), count: 1 });
      else entry.count += 1;
    },
    succeeded(credential) {
      known.set(id(credential), now());
    },
  };
}
