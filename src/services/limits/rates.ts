/** Which limit a call counts against, and the refusal of one that is over it. */
import type { AnyOperation } from '../../operations/contract.ts';
import { Failure } from '../../schema/failures.ts';
import { RATE_WINDOW_SECONDS, type RateClass } from '../../schema/limits.ts';
import type { Principal } from '../../schema/principal.ts';
import type { RateLimits, RateState } from '../../stores/rate-limits.ts';

type Limited = Pick<AnyOperation, 'rate' | 'permission' | 'http' | 'mcp'>;

/** Declared, else what an agent does is `agent`, what only looks is `read`, and the rest is `write`. */
export function rateClassOf(operation: Limited, caller: Pick<Principal, 'role'>): RateClass {
  if (operation.rate) return operation.rate;
  if (caller.role === 'agent' || [operation.permission].flat().every((one) => one === 'agents:work')) return 'agent';
  return operation.http?.method === 'get' || operation.mcp?.readOnly ? 'read' : 'write';
}

/** Of each limit, what only the caller's own hand spends: it can pause or cancel a run that calls as fast as it may. */
const OWN_SHARE = 0.2;
/** What was refused comes again within so long of the window's end, and not all at its first moment. */
const SPREAD_MS = 5_000;

/**
 * Counts one call. Resolves with where the caller stands, refused or not; null where there is no limit. What a workflow
 * does for its caller counts as the caller's own, and leaves a fifth of the limit.
 */
export async function countCall(limits: RateLimits, caller: Principal, kind: RateClass): Promise<RateState | null> {
  return limits.take(caller.id, kind, caller.via === 'delegated' ? OWN_SHARE : 0);
}

/** When a workflow tries again what was refused: milliseconds from now, `seconds` and up to 5 s more by chance. */
export function retryDelayMs(seconds: number, chance: () => number = Math.random): number {
  return Math.ceil(seconds * 1000 + chance() * SPREAD_MS);
}

/** The Failure of a refused call. */
export function overLimit(state: RateState): Failure {
  const window = RATE_WINDOW_SECONDS === 60 ? 'a minute' : `in ${RATE_WINDOW_SECONDS} s`;
  return new Failure('too_many_requests', `${state.limit} ${state.class} requests ${window} are allowed`, {
    retryAfterSeconds: state.resetSeconds,
  });
}
