/** One log line a request. */
import type { MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import { type ApiEnv, peerAddress } from './context.ts';

/** Probes are logged at debug, or they would drown the rest. The query string is left out: it may hold what was searched for. */
export function requestLog(log: Logger): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const started = performance.now();
    await next();
    const quiet = c.req.path === '/health' || c.req.path === '/metrics' || c.req.path === '/mcp/health';
    log[quiet ? 'debug' : 'info'](
      {
        request_id: c.get('requestId'),
        principal: c.get('principal')?.id,
        operation: c.get('operation'),
        workflow_id: c.get('workflowId'),
        method: c.req.method,
        path: c.req.path,
        status: c.res.status,
        ms: Math.round((performance.now() - started) * 10) / 10,
        address: peerAddress(c),
      },
      'request',
    );
  };
}
