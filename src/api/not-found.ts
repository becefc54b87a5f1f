/** Unknown paths, and known ones asked with another method. */
import type { Hono } from 'hono';
import { Failure } from '../schema/failures.ts';
import type { ApiContext, ApiEnv } from './context.ts';
import { problem } from './problems.ts';

/** 405 with Allow where another method has this path, else 404. Reads the routes as they are when the first request comes. */
export function notFound(app: Hono<ApiEnv>): (c: ApiContext) => Response {
  let table: { method: string; pattern: RegExp }[] | null = null;
  return (c) => {
    table ??= app.routes
      .filter((route) => route.method !== 'ALL')
      .map((route) => ({ method: route.method, pattern: toPattern(route.path) }));
    const methods = new Set(table.filter(({ pattern }) => pattern.test(c.req.path)).map(({ method }) => method));
    if (methods.has('GET')) methods.add('HEAD');
    if (methods.size === 0) return problem(c, new Failure('not_found', `Nothing is at ${c.req.path}`));
    const allow = [...methods].sort().join(', ');
    return problem(c, new Failure('method_not_allowed', `${c.req.path} takes ${allow}`), { allow });
  };
}

function toPattern(path: string): RegExp {
  const parts = path.split('/').map((part) => {
    if (part.startsWith(':')) return part.endsWith('{.+}') ? '.+' : '[^/]+';
    return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('/')}/?$`);
}
