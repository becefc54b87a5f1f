/**
 * Sends finished spans to a collector as OTLP over HTTP in JSON
 * (https://opentelemetry.io/docs/specs/otlp/#otlphttp). Spans come from two generations of OpenTelemetry at once: this
 * process' own and, through Temporal's interceptors, 1.x ones from inside workflows; the official exporters read one.
 */
import type { AttributeValue, HrTime, SpanContext } from '@opentelemetry/api';

/** What both generations' finished spans have in common, and where they differ. */
export interface FinishedSpan {
  name: string;
  kind: number;
  spanContext(): SpanContext;
  /** OpenTelemetry 1.x. */
  parentSpanId?: string;
  /** OpenTelemetry 2 and newer. */
  parentSpanContext?: SpanContext;
  startTime: HrTime;
  endTime: HrTime;
  status: { code: number; message?: string };
  attributes: Record<string, AttributeValue | undefined>;
  events: { name: string; time: HrTime; attributes?: Record<string, AttributeValue | undefined> }[];
}

export interface SpanExport {
  add(span: FinishedSpan): void;
  /** Resolves when all that was added before has been sent or given up. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

const BATCH = 256;
/** Beyond this many waiting spans new ones are dropped: tracing never takes the memory of the work it watches. */
const MOST_WAITING = 8_192;
const EVERY_MS = 1_000;
const SEND_MS = 5_000;

/** `endpoint` is the collector's base address; spans go to `/v1/traces` below it. `onError` hears of failed sends. */
export function createSpanExport(options: {
  endpoint: string;
  service: string;
  onError: (error: unknown) => void;
}): SpanExport {
  const url = `${options.endpoint.replace(/\/$/, '')}/v1/traces`;
  let waiting: FinishedSpan[] = [];
  let sending: Promise<void> = Promise.resolve();

  async function send(spans: FinishedSpan[]): Promise<void> {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(toRequest(options.service, spans)),
        signal: AbortSignal.timeout(SEND_MS),
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`the collector answered ${response.status}`);
    } catch (error) {
      options.onError(error);
    }
  }

  function flush(): Promise<void> {
    const spans = waiting;
    waiting = [];
    for (let at = 0; at < spans.length; at += BATCH) {
      const batch = spans.slice(at, at + BATCH);
      sending = sending.then(() => send(batch));
    }
    return sending;
  }

  const timer = setInterval(() => void flush(), EVERY_MS);
  timer.unref();
  return {
    add(span) {
      if (waiting.length < MOST_WAITING) waiting.push(span);
    },
    flush,
    async close() {
      clearInterval(timer);
      await flush();
    },
  };
}

function toRequest(service: string, spans: FinishedSpan[]) {
  return {
    resourceSpans: [
      {
        resource: { attributes: toAttributes({ 'service.name': service, 'service.namespace': 'ostinato' }) },
        scopeSpans: [{ scope: { name: 'ostinato' }, spans: spans.map(toSpan) }],
      },
    ],
  };
}

function toSpan(span: FinishedSpan) {
  const { traceId, spanId } = span.spanContext();
  const parent = span.parentSpanContext?.spanId ?? span.parentSpanId;
  return {
    traceId,
    spanId,
    ...(parent ? { parentSpanId: parent } : {}),
    name: span.name,
    // The API counts kinds from 0, the wire from 1.
    kind: span.kind + 1,
    startTimeUnixNano: nanoseconds(span.startTime),
    endTimeUnixNano: nanoseconds(span.endTime),
    attributes: toAttributes(span.attributes),
    events: span.events.map(({ name, time, attributes = {} }) => ({
      name,
      timeUnixNano: nanoseconds(time),
      attributes: toAttributes(attributes),
    })),
    status: { code: span.status.code, ...(span.status.message ? { message: span.status.message } : {}) },
  };
}

function nanoseconds([seconds, nanos]: HrTime): string {
  return String(BigInt(seconds) * 1_000_000_000n + BigInt(nanos));
}

function toAttributes(attributes: Record<string, AttributeValue | undefined>) {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined || value === null ? [] : [{ key, value: toValue(value) }],
  );
}

function toValue(value: unknown): object {
  if (Array.isArray(value)) return { arrayValue: { values: value.map(toValue) } };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  return { stringValue: String(value) };
}
