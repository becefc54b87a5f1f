/** Middleware: counts what is no operation against its caller's limits, and tells every caller where it stands. */
import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { Deps } from '../deps.ts';
import type { AnyOperation } from '../operations/contract.ts';
import { RATE_WINDOW_SECONDS } from '../schema/limits.ts';
import { countCall, overLimit } from '../services/limits/rates.ts';
import type { RateState } from '../stores/rate-limits.ts';
import type { ApiContext, ApiEnv } from './context.ts';
import { honoPath } from './operation-routes.ts';
import { problem } from './problems.ts';

/** A POST that changes nothing by itself: the tools called through it are counted one by one. */
const READS = new Set(['/mcp']);

/**
 * Stands behind authentication. An operation is counted by `invoke`, whichever door it came through; here pages,
 * streams, sessions, MCP messages and unknown paths are, so that nothing a caller may send is without a limit.
 */
export function rateLimits(
  { limits, metrics }: Pick<Deps, 'limits' | 'metrics'>,
  operations: readonly AnyOperation[],
): MiddlewareHandler<ApiEnv> {
  const counted = new Set(
    operations.flatMap(({ http }) => (http ? [`${http.method.toUpperCase()} ${honoPath(http)}`] : [])),
  );
  return async (c, next) => {
    const isOperation = matchedRoutes(c).some(({ method, path }) => counted.has(`${method} ${path}`));
    const state = isOperation ? null : await countCall(limits, c.get('principal'), kindOf(c));
    if (state) c.set('rate', state);
    if (state?.refused) {
      metrics.rateLimited.inc({ class: state.class });
      return withHeaders(problem(c, overLimit(state)), state);
    }
    await next();
    const rate = c.get('rate');
    if (rate) withHeaders(c.res, rate);
    return undefined;
  };
}

function kindOf(c: ApiContext): 'read' | 'write' {
  return c.req.method === 'GET' || c.req.method === 'HEAD' || READS.has(c.req.path) ? 'read' : 'write';
}

/**
 * The fields of draft-ietf-httpapi-ratelimit-headers-06, the last one with a field for each figure; later drafts fold
 * them into one that few clients read.
 */
function withHeaders(response: Response, state: RateState): Response {
  response.headers.set('ratelimit-limit', String(state.limit));
  response.headers.set('ratelimit-remaining', String(state.remaining));
  response.headers.set('ratelimit-reset', String(state.resetSeconds));
  response.headers.set('ratelimit-policy', `${state.limit};w=${RATE_WINDOW_SECONDS}`);
  return response;
}
