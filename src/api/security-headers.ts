/** Headers that keep a browser from doing more with an answer than it should. */
import type { MiddlewareHandler } from 'hono';
import type { ApiEnv } from './context.ts';

/** A page that needs more sets its own policy; what is set already stays. */
export function securityHeaders(): MiddlewareHandler<ApiEnv> {
  const defaults: Record<string, string> = {
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  };
  return async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(defaults)) {
      if (!c.res.headers.has(name)) c.header(name, value);
    }
  };
}
