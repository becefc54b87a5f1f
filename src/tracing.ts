/** OpenTelemetry, when OTEL_EXPORTER_OTLP_ENDPOINT is set: one trace from a request through its workflow to its activities. */
import { createRequire } from 'node:module';
import type { ClientInterceptors } from '@temporalio/client';
import type { InjectedSinks, WorkerInterceptors } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createSpanExport, type FinishedSpan } from './clients/otlp.ts';
import type { Config } from './schema/config.ts';

export interface Tracing {
  /** For the Temporal client: puts the current span into the headers of what it starts. */
  client: ClientInterceptors;
  /** For `Worker.create`: spans of activities, and the way out for those made inside workflows. */
  worker: {
    interceptors: Pick<WorkerInterceptors, 'activity'>;
    sinks: InjectedSinks<never>;
    /** Goes into the workflow bundle. */
    workflowModules: string[];
  };
  /** Sends what is waiting and stops. */
  close(): Promise<void>;
}

/**
 * Registers a tracer for this process, or does nothing and resolves with null. Loaded on demand: the libraries take
 * some 60 MB that a process without a collector need not spend. Call it before anything that makes spans.
 */
export async function startTracing(
  config: Pick<Config, 'OTEL_EXPORTER_OTLP_ENDPOINT'>,
  options: { service: string; log: Logger },
): Promise<Tracing | null> {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!endpoint) return null;
  const [{ NodeSDK }, temporal] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@temporalio/interceptors-opentelemetry'),
  ]);
  const exporter = createSpanExport({
    endpoint,
    service: options.service,
    onError: (err) => options.log.warn({ err }, 'traces could not be sent'),
  });
  const processor = {
    onStart: () => {},
    onEnd: (span: unknown) => exporter.add(span as FinishedSpan),
    forceFlush: () => exporter.flush(),
    shutdown: () => exporter.close(),
  };
  const sdk = new NodeSDK({
    serviceName: options.service,
    spanProcessors: [processor],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
    autoDetectResources: false,
  });
  sdk.start();
  const workflowExporter = temporal.makeWorkflowExporter(
    // 1.x wants a processor of its own generation and a resource; ours reads both and names the service itself.
    processor as never,
    {} as never,
  );
  return {
    client: { workflow: [new temporal.OpenTelemetryWorkflowClientInterceptor()] },
    worker: {
      interceptors: {
        activity: [
          (context) => ({
            inbound: new temporal.OpenTelemetryActivityInboundInterceptor(context),
            outbound: new temporal.OpenTelemetryActivityOutboundInterceptor(context),
          }),
        ],
      },
      sinks: { exporter: workflowExporter } as unknown as InjectedSinks<never>,
      workflowModules: [
        createRequire(import.meta.url).resolve('@temporalio/interceptors-opentelemetry/lib/workflow-interceptors'),
      ],
    },
    close: () => sdk.shutdown(),
  };
}
