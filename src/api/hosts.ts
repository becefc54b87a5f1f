/** Which names this server answers to, against DNS rebinding: a page that points its own name at loopback. */
import { isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import type { Config } from '../schema/config.ts';
import { Failure } from '../schema/failures.ts';
import { bareHost, isLoopbackName } from '../schema/host-names.ts';
import type { ApiContext, ApiEnv } from './context.ts';
import { problem } from './problems.ts';

export type HostSettings = Pick<Config, 'HOST' | 'ALLOWED_HOSTS' | 'publicUrl'>;

const WILDCARDS = new Set(['0.0.0.0', '::']);

/**
 * Tells right values of `Host`: loopback, HOST, ALLOWED_HOSTS and the host of PUBLIC_URL, on any port. Bound to every
 * interface, any address written as a number is right too: rebinding needs a name.
 */
export function hostRule(settings: HostSettings): (header: string) => boolean {
  const allowed = new Set(
    [settings.HOST, ...settings.ALLOWED_HOSTS, new URL(settings.publicUrl).hostname].map((host) => bareHost(host)),
  );
  const anyNumber = WILDCARDS.has(settings.HOST);
  return (header) => {
    const host = bareHost(header);
    return isLoopbackName(host) || allowed.has(host) || (anyNumber && isIP(host) !== 0);
  };
}

export function hostCheck(settings: HostSettings): MiddlewareHandler<ApiEnv> {
  const isRight = hostRule(settings);
  return async (c, next) => {
    const host = hostHeader(c);
    if (isRight(host)) return next();
    return problem(
      c,
      new Failure('forbidden', `Host ${JSON.stringify(bareHost(host).slice(0, 100))} is not one of ALLOWED_HOSTS`),
    );
  };
}

/** `Host` with its port, as the client sent it. */
export function hostHeader(c: ApiContext): string {
  return c.req.header('host') ?? new URL(c.req.url).host;
}
