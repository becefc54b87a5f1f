/** The HTTP door: what stands before the operations, and in which order. */
import { Hono } from 'hono';
import type { Deps } from '../deps.ts';
import type { AnyOperation } from '../operations/contract.ts';
import type { Principal } from '../schema/principal.ts';
import { toFailure } from '../schema/unknown-error.ts';
import type { EventHub } from '../services/event-hub.ts';
import { createHealth } from '../services/health.ts';
import { type Connections, createConnections } from '../services/limits/connections.ts';
import { type Access, createAccess } from './access.ts';
import { authentication, createGate } from './authentication.ts';
import { type ApiContext, type ApiEnv, peerAddress } from './context.ts';
import { mountDocs } from './docs-routes.ts';
import { mountEvents } from './events-stream.ts';
import { failureMetrics } from './failure-metrics.ts';
import { mountHealth } from './health-routes.ts';
import { hostCheck } from './hosts.ts';
import { mountMetrics } from './metrics-route.ts';
import { notFound } from './not-found.ts';
import { openApiDocument } from './openapi.ts';
import { mountOperations } from './operation-routes.ts';
import { problem } from './problems.ts';
import { rateLimits } from './rate-limits.ts';
import { requestId } from './request-id.ts';
import { requestLog } from './request-log.ts';
import { requestTracing } from './request-tracing.ts';
import { securityHeaders } from './security-headers.ts';
import { mountSessions } from './session-routes.ts';
import { signInPage } from './sign-in-page.ts';
import { mountTemporal } from './temporal-routes.ts';

/** The MCP door as this one mounts it. */
export interface McpMount {
  handle(
    request: Request,
    principal: Principal,
    extras: { requestId: string; address: string | null },
  ): Promise<Response>;
}

export interface ApiOptions {
  deps: Deps;
  operations: readonly AnyOperation[];
  /** Without it there is no event stream. */
  hub?: EventHub;
  /** Aborts when the server drains. */
  draining?: AbortSignal;
  /** Shown in the API's description. */
  version?: string;
  mcp?: McpMount;
  /** Milliseconds after which an event stream that nobody reads is dropped. */
  slowReaderMs?: number;
  /** Failed authentications a minute from one address; 20 unless told. */
  failedAuthPerMinute?: number;
  /** Shared with the WebSockets beside this door; its own unless given. */
  access?: Access;
  /** The same. */
  connections?: Connections;
}

export function createApi(options: ApiOptions): Hono<ApiEnv> {
  const { deps, operations, mcp, hub, version = '0.0.0' } = options;
  const { config, db, log } = deps;
  const access = options.access ?? createAccess(deps, options.failedAuthPerMinute);
  const gate = createGate({ ...access, db, log, cookies: config });
  const app = new Hono<ApiEnv>();
  app.use(requestId());
  if (config.OTEL_EXPORTER_OTLP_ENDPOINT) app.use(requestTracing());
  app.use(requestLog(log));
  app.use(failureMetrics(deps.metrics));
  app.use(securityHeaders(config));
  app.use(hostCheck(config));

  // All that is open, or has a check of its own, stands before this line.
  mountHealth(app, { health: createHealth(deps), gate, hasMcp: mcp !== undefined });
  mountMetrics(app, deps, gate);
  app.use(authentication(gate, signInPage));
  app.use(rateLimits(deps, operations));

  app.get('/', (c) => c.redirect('/docs'));
  mountDocs(app, openApiDocument({ operations, version, publicUrl: config.publicUrl }));
  mountSessions(app, { db, cookies: config });
  mountTemporal(app, config);
  if (hub) {
    mountEvents(app, {
      hub,
      metrics: deps.metrics,
      connections: options.connections ?? createConnections(deps),
      holds: gate.holds,
      draining: options.draining ?? new AbortController().signal,
      ...(options.slowReaderMs === undefined ? {} : { slowReaderMs: options.slowReaderMs }),
    });
  }
  if (mcp) mountMcp(app, mcp);
  mountOperations(app, deps, operations);
  app.notFound(notFound(app));
  app.onError((error, c) => answerError(deps, error, c));
  return app;
}

function mountMcp(app: Hono<ApiEnv>, mcp: McpMount): void {
  app.on(['GET', 'POST', 'DELETE'], '/mcp', (c) => {
    c.set('operation', 'mcp');
    return mcp.handle(c.req.raw, c.get('principal'), { requestId: c.get('requestId'), address: peerAddress(c) });
  });
}

/** What no operation caught: logged with its stack, answered without. */
function answerError(deps: Deps, error: unknown, c: ApiContext): Response {
  const failure = toFailure(error);
  if (failure.status >= 500) deps.log.error({ err: error, request_id: c.get('requestId') }, failure.message);
  return problem(c, failure);
}
