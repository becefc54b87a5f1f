/** What OpenAPI says of answers: successes, refusals by status with the codes that lead to them, and their headers. */
import { FAILURES, type FailureCode } from '../schema/failures.ts';
import type { JsonObject } from '../schema/json.ts';
import { CONNECTION_STATUSES } from './client-errors.ts';

/** Everything behind authentication may answer with these besides its own. */
export const COMMON: readonly FailureCode[] = [
  'invalid_input',
  'unauthenticated',
  'forbidden',
  'too_many_requests',
  'internal',
  'unavailable',
];
/** Where a body is read. */
export const BODY: readonly FailureCode[] = ['payload_too_large', 'unsupported_type', 'upload_broken'];
/** Where a part of the path is free: some values of it (empty, dots) lead to another path or to none. */
export const FREE_PATH: readonly FailureCode[] = ['not_found', 'method_not_allowed'];

const count = { type: 'integer', minimum: 0 };

/** `components.headers`; fields of draft-ietf-httpapi-ratelimit-headers-06 and RFC 9110. */
export const HEADERS: JsonObject = {
  'RateLimit-Limit': { description: 'calls of this kind that the caller may make in a window', schema: count },
  'RateLimit-Remaining': { description: 'calls that are left of the window, at most', schema: count },
  'RateLimit-Reset': { description: 'seconds until the window ends', schema: count },
  'RateLimit-Policy': { description: 'limit and length of the window: `6000;w=60`', schema: { type: 'string' } },
  'Retry-After': { description: 'seconds after which the same can succeed', schema: count },
};

const RATE = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset', 'RateLimit-Policy'];
const PROBLEM = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };

function headers(names: readonly string[]): JsonObject {
  return { headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])) };
}

/** An answer with a body; with `limited` it carries the caller's rate limit. */
export function success(description: string, content: JsonObject | null, limited = true): JsonObject {
  return { description, ...(limited ? headers(RATE) : {}), ...(content ? { content } : {}) };
}

/** One response a status, naming the codes that lead to it, and those that end a connection. */
export function problems(codes: readonly FailureCode[], limited = true): JsonObject {
  const byStatus = new Map<number, FailureCode[]>();
  for (const code of new Set(codes)) {
    const { status } = FAILURES[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return {
    ...Object.fromEntries(
      [...byStatus].map(([status, of]) => {
        const rate = limited && status !== 401 ? RATE : [];
        const retry = of.some((code) => FAILURES[code].retryable && status !== 500) ? ['Retry-After'] : [];
        const description = of.map((code) => `\`${code}\`: ${FAILURES[code].title}`).join('; ');
        return [String(status), { description, ...headers([...rate, ...retry]), content: PROBLEM }];
      }),
    ),
    ...Object.fromEntries(
      Object.entries(CONNECTION_STATUSES).map(([status, description]) => [status, { description, content: PROBLEM }]),
    ),
  };
}
