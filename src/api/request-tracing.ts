/** A span for each request, below the caller's own when it sent a `traceparent`. */
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { MiddlewareHandler } from 'hono';
import type { ApiEnv } from './context.ts';

/** Without a registered tracer (see tracing.ts) this costs next to nothing. */
export function requestTracing(): MiddlewareHandler<ApiEnv> {
  const tracer = trace.getTracer('ostinato-api');
  return (c, next) => {
    const parent = propagation.extract(context.active(), Object.fromEntries(c.req.raw.headers));
    return tracer.startActiveSpan(`${c.req.method} request`, { kind: SpanKind.SERVER }, parent, async (span) => {
      try {
        await next();
      } finally {
        const operation = c.get('operation');
        if (operation) span.updateName(operation);
        span.setAttributes({
          'http.request.method': c.req.method,
          'url.path': c.req.path,
          'http.response.status_code': c.res.status,
          'ostinato.request_id': c.get('requestId'),
        });
        if (c.get('workflowId')) span.setAttribute('ostinato.workflow_id', c.get('workflowId'));
        if (c.get('principal')) span.setAttribute('ostinato.principal', c.get('principal').id);
        if (c.res.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      }
    });
  };
}
