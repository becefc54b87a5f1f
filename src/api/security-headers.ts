/** Headers that keep a browser from doing more with an answer than it should. */
import { isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import type { Config } from '../schema/config.ts';
import { bareHost, isLoopbackName } from '../schema/host-names.ts';
import type { ApiContext, ApiEnv } from './context.ts';
import { hostHeader } from './hosts.ts';

/** A year (RFC 6797). */
const STRICT_TRANSPORT = 'max-age=31536000';

/** A page that needs more sets its own policy; what is set already stays. */
export function securityHeaders(config: Pick<Config, 'publicUrl'>): MiddlewareHandler<ApiEnv> {
  const defaults: Record<string, string> = {
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  };
  const isSecure = config.publicUrl.startsWith('https:');
  return async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(defaults)) {
      if (!c.res.headers.has(name)) c.header(name, value);
    }
    if (isSecure && hasName(c)) c.header('strict-transport-security', STRICT_TRANSPORT);
  };
}

/** The header counts for every port of a name: said for localhost it would keep plain HTTP from everything else there. */
function hasName(c: ApiContext): boolean {
  const host = bareHost(hostHeader(c));
  return !isLoopbackName(host) && isIP(host) === 0;
}
