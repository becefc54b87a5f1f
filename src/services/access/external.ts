/** Asks other services about tokens that nobody here knows, seldom and never twice at once. */
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { TokenService, Vouched } from '../../clients/introspection.ts';
import { Failure } from '../../schema/failures.ts';
import type { Principal } from '../../schema/principal.ts';
import { toFailure } from '../../schema/unknown-error.ts';
import { foreignId, shownName } from './foreign-ids.ts';
import { CLOCK_SKEW_SECONDS } from './jwt.ts';
import { refused } from './refused.ts';
import { strongestRole } from './roles.ts';
import { hashSecret } from './secrets.ts';

/** The most that a token still works here after its service ended it. */
export const VOUCHED_FOR_MS = 60_000;
/** How long a refusal is remembered: guesses cost the service little, and a token made meanwhile works soon. */
const REFUSED_FOR_MS = 5_000;
const MOST_REMEMBERED = 10_000;
/** Questions under way at once; more callers are asked to come again. */
const MOST_QUESTIONS = 64;
/** What callers are told to wait when the service did not say. */
const RETRY_SECONDS = 5;
const LOG_EVERY_MS = 60_000;

export interface ExternalVerifier {
  /** Throws Failure('unauthenticated') for a token that no service knows, 'unavailable' when that cannot be told. */
  verify(token: string): Promise<Principal>;
}

interface Known {
  principal: Principal;
  until: number;
}

/**
 * `services` are asked in their order; the first that knows the token is believed. When none does and one could not be
 * asked, the answer is `unavailable`. `audience`, when set, must be among those that a service names.
 */
export function createExternalVerifier(options: {
  services: readonly TokenService[];
  audience?: string | undefined;
  now?: () => number;
  log?: Logger | undefined;
}): ExternalVerifier {
  const { services, audience, log } = options;
  const now = options.now ?? Date.now;
  const known = new LRUCache<string, Known>({ max: MOST_REMEMBERED });
  const refusals = new LRUCache<string, number>({ max: MOST_REMEMBERED });
  const flights = new Map<string, Promise<Principal | null>>();
  /** When a service that asked for a pause may be asked again. */
  const paused = new Map<string, number>();
  const logged = new Map<string, number>();

  async function ask(token: string, id: string): Promise<Principal | null> {
    const asked = now();
    let failure: Failure | null = null;
    for (const service of services) {
      try {
        const vouched = await askOne(service, token);
        const principal = vouched && principalOf(vouched, audience, now());
        if (!principal) continue;
        // Counted from before the question, so that the bound holds from the moment the token ended.
        const until = Math.min(asked + VOUCHED_FOR_MS, vouched.expiresAt ?? Number.POSITIVE_INFINITY);
        known.set(id, { principal, until });
        return principal;
      } catch (error) {
        failure = toFailure(error);
      }
    }
    if (failure) throw failure;
    refusals.set(id, now() + REFUSED_FOR_MS);
    return null;
  }

  async function askOne(service: TokenService, token: string): Promise<Vouched | null> {
    const wait = (paused.get(service.name) ?? 0) - now();
    if (wait > 0) throw unreachable(wait / 1_000);
    try {
      return await service.ask(token);
    } catch (error) {
      const { message, retryAfterSeconds } = toFailure(error);
      // One that is too busy is left alone as long as it asks for; one that is away is tried again by the next caller.
      if (retryAfterSeconds !== undefined) paused.set(service.name, now() + retryAfterSeconds * 1_000);
      report(service.name, message);
      throw unreachable(retryAfterSeconds ?? RETRY_SECONDS, error);
    }
  }

  function report(service: string, reason: string): void {
    if (now() - (logged.get(service) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return;
    logged.set(service, now());
    log?.warn({ service, reason }, 'a service that verifies tokens could not be asked');
  }

  return {
    async verify(token) {
      const id = hashSecret(token).toString('base64');
      const before = known.get(id);
      if (before && before.until > now()) return before.principal;
      if ((refusals.get(id) ?? 0) > now()) throw refused();
      let flight = flights.get(id);
      if (!flight) {
        if (flights.size >= MOST_QUESTIONS) throw unreachable(1);
        flight = ask(token, id).finally(() => flights.delete(id));
        flights.set(id, flight);
      }
      const principal = await flight;
      if (!principal) throw refused();
      return principal;
    },
  };
}

/** Null for whom we cannot take: nobody, without a role of ours, at the wrong time, or for somebody else. */
function principalOf(vouched: Vouched, audience: string | undefined, at: number): Principal | null {
  const { authority, subject, names, roles, expiresAt, notBefore } = vouched;
  if (expiresAt !== null && expiresAt <= at) return null;
  if (notBefore !== null && notBefore > at + CLOCK_SKEW_SECONDS * 1_000) return null;
  if (vouched.audience !== undefined && audience !== undefined && ![vouched.audience].flat().includes(audience)) {
    return null;
  }
  const id = foreignId(authority, subject);
  const role = strongestRole(...roles);
  if (id === null || role === null) return null;
  return { id, name: shownName(id, ...names), role, grants: [], via: 'introspection', keyId: null };
}

/** Says nothing of which service, or where it is: the caller is nobody yet. */
function unreachable(retryAfterSeconds: number, cause?: unknown): Failure {
  return new Failure('unavailable', 'Who you are cannot be checked right now; try again shortly', {
    retryAfterSeconds: Math.max(1, Math.ceil(retryAfterSeconds)),
    ...(cause === undefined ? {} : { cause }),
  });
}
