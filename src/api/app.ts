/** The HTTP door: what stands before the operations, and in which order. */
import { Hono } from 'hono';
import type { Deps } from '../deps.ts';
import type { AnyOperation } from '../operations/contract.ts';
import { toFailure } from '../schema/unknown-error.ts';
import { createAuthenticator } from '../services/access/authenticate.ts';
import { createFailureLimit } from '../services/access/failure-limit.ts';
import type { EventHub } from '../services/event-hub.ts';
import { authentication, createGate } from './authentication.ts';
import type { ApiContext, ApiEnv } from './context.ts';
import { mountEvents } from './events-stream.ts';
import { hostCheck } from './hosts.ts';
import { notFound } from './not-found.ts';
import { mountOperations } from './operation-routes.ts';
import { problem } from './problems.ts';
import { requestId } from './request-id.ts';
import { requestLog } from './request-log.ts';
import { securityHeaders } from './security-headers.ts';
import { mountSessions } from './session-routes.ts';

export interface ApiOptions {
  deps: Deps;
  operations: readonly AnyOperation[];
  hub: EventHub;
  /** Aborts when the server drains. */
  draining: AbortSignal;
  /** Milliseconds after which an event stream that nobody reads is dropped. */
  slowReaderMs?: number;
  /** Failed authentications a minute from one address; 20 unless told. */
  failedAuthPerMinute?: number;
}

export function createApi(options: ApiOptions): Hono<ApiEnv> {
  const { deps, operations } = options;
  const { config, db, log } = deps;
  const gate = createGate({
    authenticator: createAuthenticator({ db, config }),
    limit: createFailureLimit(
      options.failedAuthPerMinute === undefined ? {} : { perMinute: options.failedAuthPerMinute },
    ),
    db,
    log,
    cookies: config,
  });
  const app = new Hono<ApiEnv>();
  app.use(requestId());
  app.use(requestLog(log));
  app.use(securityHeaders());
  app.use(hostCheck(config));

  app.use(authentication(gate));
  mountSessions(app, { db, cookies: config });
  mountEvents(app, {
    hub: options.hub,
    metrics: deps.metrics,
    draining: options.draining,
    ...(options.slowReaderMs === undefined ? {} : { slowReaderMs: options.slowReaderMs }),
  });
  mountOperations(app, deps, operations);
  app.notFound(notFound(app));
  app.onError((error, c) => answerError(deps, error, c));
  return app;
}

/** What no operation caught: logged with its stack, answered without. */
function answerError(deps: Deps, error: unknown, c: ApiContext): Response {
  const failure = toFailure(error);
  if (failure.status >= 500) deps.log.error({ err: error, request_id: c.get('requestId') }, failure.message);
  return problem(c, failure);
}
