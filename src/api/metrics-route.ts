/** `GET /metrics`: this process, the database, the workers beside us and Temporal's runtime in them, for Prometheus. */
import type { Hono } from 'hono';
import type { Deps } from '../deps.ts';
import { mayDo } from '../schema/access.ts';
import { Failure } from '../schema/failures.ts';
import { createLoadMetrics } from '../services/load-metrics.ts';
import { mergeMetrics } from '../services/merge-metrics.ts';
import { mayReadMetrics } from '../services/metrics-access.ts';
import { readWorkerMetrics } from '../services/worker-metrics.ts';
import type { Gate } from './authentication.ts';
import { type ApiEnv, peerAddress } from './context.ts';
import { hostHeader } from './hosts.ts';
import { problem } from './problems.ts';

/** Open to loopback; from elsewhere with METRICS_TOKEN as bearer token, or with a credential that has `system:read`. */
export function mountMetrics(app: Hono<ApiEnv>, deps: Deps, gate: Gate): void {
  const { registry } = deps.metrics;
  registry.setDefaultLabels({ process: 'api' });
  const readLoad = createLoadMetrics(deps);
  app.get('/metrics', async (c) => {
    const asked = { peer: peerAddress(c), host: hostHeader(c), header: (name: string) => c.req.header(name) };
    if (!mayReadMetrics(asked, deps.config.METRICS_TOKEN)) {
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
