/** `GET /metrics`: this process, the database, the workers beside us and Temporal's runtime in them, for Prometheus. */
import type { Hono } from 'hono';
import type { Deps } from '../deps.ts';
import { mayDo } from '../schema/access.ts';
import { Failure } from '../schema/failures.ts';
import { sameSecret } from '../services/access/secrets.ts';
import { createLoadMetrics } from '../services/load-metrics.ts';
import { mergeMetrics } from '../services/merge-metrics.ts';
import { readWorkerMetrics } from '../services/worker-metrics.ts';
import type { Gate } from './authentication.ts';
import { type ApiContext, type ApiEnv, peerAddress } from './context.ts';
import { bareHost, hostHeader, isLoopbackName } from './hosts.ts';
import { problem } from './problems.ts';

const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

/** Open to loopback; from elsewhere with METRICS_TOKEN as bearer token, or with a credential that has `system:read`. */
export function mountMetrics(app: Hono<ApiEnv>, deps: Deps, gate: Gate): void {
  const { registry } = deps.metrics;
  registry.setDefaultLabels({ process: 'api' });
  const readLoad = createLoadMetrics(deps);
  app.get('/metrics', async (c) => {
    if (!isLocal(c) && !hasToken(c, deps.config.METRICS_TOKEN)) {
      const principal = await gate.glance(c);
      if (principal === null || !mayDo(principal, 'system:read')) {
        return problem(
          c,
          new Failure('unauthenticated', 'From beyond loopback /metrics needs METRICS_TOKEN as bearer token'),
        );
      }
    }
    const [load, workers] = await Promise.all([readLoad(), readWorkerMetrics(deps.config)]);
    return c.body(mergeMetrics([await registry.metrics(), load, ...workers]), 200, {
      'content-type': registry.contentType,
    });
  });
}

/** A peer on loopback that named loopback. A proxy on this machine is a loopback peer too, hence the headers. */
function isLocal(c: ApiContext): boolean {
  const peer = peerAddress(c);
  return (
    peer !== null &&
    isLoopbackName(peer) &&
    isLoopbackName(bareHost(hostHeader(c))) &&
    FORWARDED.every((name) => c.req.header(name) === undefined)
  );
}

function hasToken(c: ApiContext, token: string | undefined): boolean {
  const given = /^Bearer +(.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  return token !== undefined && given !== undefined && sameSecret(given, token);
}
