/** `GET /api/v1/events`: the event log as a resumable `text/event-stream`. */
import type { Hono } from 'hono';
import { z } from 'zod';
import type { Metrics } from '../metrics.ts';
import { parseInput } from '../operations/invoke.ts';
import { mayDo } from '../schema/access.ts';
import { Failure } from '../schema/failures.ts';
import { EventSeq, LiveFilters } from '../schema/live.ts';
import { EVENT_NAMES } from '../schema/names.ts';
import type { EventHub, Subscription } from '../services/event-hub.ts';
import { toEventFilter, visibleTo } from '../services/events/view.ts';
import type { Connections, Place } from '../services/limits/connections.ts';
import { parsePosition } from '../stores/event-position.ts';
import type { LoggedEvent } from '../stores/events.ts';
import type { ApiContext, ApiEnv } from './context.ts';
import { problem } from './problems.ts';
import { readQuery } from './query-input.ts';

export const EVENTS_PATH = '/api/v1/events';

const HEARTBEAT_MS = 15_000;
/** A stream outlives its credential by hardly more than this. */
const RECHECK_MS = 3_000;
/** A reader that takes nothing for so long is dropped; it may come back with Last-Event-ID. */
const SLOW_READER_MS = 30_000;

export const EventsQuery = z.object({
  after: EventSeq.optional().describe(
    'begin after this event; 0 begins at the oldest, absent begins now. `Last-Event-ID` goes before it. When events after it are gone already, the stream begins with `event: resume_gap` and goes on from the oldest',
  ),
  names: z.array(z.enum(EVENT_NAMES)).optional().describe('only these events, separated by commas'),
  file_id: z.uuid().optional().describe('only events about this file'),
  task_id: LiveFilters.shape.task_id.describe('only events about this task'),
  agent_id: LiveFilters.shape.agent_id.describe('only events about this agent'),
  pipeline_id: LiveFilters.shape.pipeline_id.describe('only progress of runs of this pipeline'),
  run_id: LiveFilters.shape.run_id.describe('only events about this run of a pipeline'),
});

export interface EventStreamOptions {
  hub: EventHub;
  metrics: Metrics;
  connections: Connections;
  /** Aborts when the server drains: streams end, clients come back to the next process. */
  draining: AbortSignal;
  /** Whether the credential that a stream was opened with still holds. */
  holds(c: ApiContext): Promise<boolean>;
  recheckMs?: number;
  heartbeatMs?: number;
  slowReaderMs?: number;
}

export function mountEvents(app: Hono<ApiEnv>, options: EventStreamOptions): void {
  app.get(EVENTS_PATH, async (c) => {
    c.set('operation', 'events.stream');
    const principal = c.get('principal');
    if (!mayDo(principal, 'files:read')) {
      return problem(c, new Failure('forbidden', `Role ${principal.role} lacks files:read`));
    }
    const lastEventId = c.req.header('last-event-id');
    const query = readQuery(c, EventsQuery);
    const input = parseInput(EventsQuery, lastEventId ? { ...query, after: lastEventId } : query);
    const { after, ...filters } = input;
    const subscription: Subscription = {
      ...visibleTo(principal),
      after,
      wanted: [toEventFilter(filters)],
    };
    const place = await options.connections.take(principal.id);
    return new Response(stream(options, subscription, c, place), {
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
      },
    });
  });
}

function stream(
  options: EventStreamOptions,
  subscription: Subscription,
  c: ApiContext,
  place: Place,
): ReadableStream<Uint8Array> {
  const { hub, metrics, draining } = options;
  const stop = new AbortController();
  const ended = new AbortController();
  const signal = AbortSignal.any([stop.signal, ended.signal, c.req.raw.signal, draining]);
  const encoder = new TextEncoder();
  const transport = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: 1 });
  const writer = transport.writable.getWriter();
  const slowReaderMs = options.slowReaderMs ?? SLOW_READER_MS;

  /** Waits until the reader has room; one that has none for too long is dropped. */
  async function write(text: string): Promise<void> {
    if ((writer.desiredSize ?? 0) <= 0) await room();
    if (!signal.aborted) writer.write(encoder.encode(text)).catch(() => stop.abort());
  }

  function room(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => stop.abort(), slowReaderMs);
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
      else writer.ready.then(done, done);
    });
  }

  /** Where to begin; a reader that comes back too late is told that it missed something. */
  async function begin(): Promise<Subscription> {
    const { after } = subscription;
    const gap = after === undefined ? null : await hub.gap(parsePosition(after));
    if (gap === null) return subscription;
    await write(`event: resume_gap\ndata: ${JSON.stringify(gap)}\n\n`);
    return { ...subscription, after: '0' };
  }

  async function run(): Promise<void> {
    metrics.activeStreams.inc();
    const heartbeat = setInterval(() => {
      // Only while there is room: a comment must not pile up behind a slow reader.
      if ((writer.desiredSize ?? 0) > 0) writer.write(encoder.encode(': still here\n\n')).catch(() => stop.abort());
    }, options.heartbeatMs ?? HEARTBEAT_MS);
    const recheck = setInterval(() => {
      void options.holds(c).then((holds) => holds || ended.abort());
    }, options.recheckMs ?? RECHECK_MS);
    try {
      await write('retry: 1000\n\n');
      for await (const event of hub.subscribe(await begin(), signal)) {
        await write(format(event));
        if (signal.aborted) break;
      }
    } finally {
      clearInterval(heartbeat);
      clearInterval(recheck);
      metrics.activeStreams.dec();
      place.release();
    }
  }

  writer.closed.catch(() => stop.abort());
  run()
    .then(() => (stop.signal.aborted ? writer.abort() : writer.close()))
    .catch((error: unknown) => writer.abort(error))
    .catch(() => {});
  return transport.readable;
}

function format(event: LoggedEvent): string {
  return `id: ${event.id}\nevent: ${event.name}\ndata: ${JSON.stringify(event.data)}\n\n`;
}
