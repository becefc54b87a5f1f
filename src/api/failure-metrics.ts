/** Middleware: counts the failures that are met before an operation, or where there is none. */
import type { MiddlewareHandler } from 'hono';
import type { Metrics } from '../metrics.ts';
import type { FailureCode } from '../schema/failures.ts';
import type { ApiContext, ApiEnv } from './context.ts';

/** By the name under which a request is logged. */
const ROOMS: Record<string, string> = { 'events.stream': 'live', mcp: 'mcp' };

export function failureMetrics({ failures }: Pick<Metrics, 'failures'>): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    const code = c.get('uncounted');
    if (code) failures.inc({ room: roomOf(c, code), code });
  };
}

/** `access` for callers that nobody knows or that failed too often, `http` for what is nobody's room. */
function roomOf(c: ApiContext, code: FailureCode): string {
  const isUnknown = c.get('principal') === undefined;
  if (isUnknown && (code === 'unauthenticated' || code === 'too_many_requests')) return 'access';
  return ROOMS[c.get('operation') ?? ''] ?? 'http';
}
