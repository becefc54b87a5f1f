/** Counters and timings of one process, in Prometheus' terms. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  registry: Registry;
  requests: Counter<'operation' | 'outcome'>;
  requestSeconds: Histogram<'operation'>;
  queries: Counter<'mode' | 'cache'>;
  querySeconds: Histogram<'mode'>;
  records: Counter<'source'>;
  ingestErrors: Counter<'source'>;
  activeStreams: Gauge;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: 'ostinato_requests_total',
      help: 'Operations by outcome',
      labelNames: ['operation', 'outcome'],
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'ostinato_request_seconds',
      help: 'Time an operation took',
      labelNames: ['operation'],
      buckets: SECONDS,
      registers,
    }),
    queries: new Counter({
      name: 'ostinato_queries_total',
      help: 'Queries by mode, and whether the cache answered',
      labelNames: ['mode', 'cache'],
      registers,
    }),
    querySeconds: new Histogram({
      name: 'ostinato_query_seconds',
      help: 'Time a query took',
      labelNames: ['mode'],
      buckets: SECONDS,
      registers,
    }),
    records: new Counter({
      name: 'ostinato_records_parsed_total',
      help: 'Records that the parsers emitted',
      labelNames: ['source'],
      registers,
    }),
    ingestErrors: new Counter({
      name: 'ostinato_records_unreadable_total',
      help: 'Records that could not be read',
      labelNames: ['source'],
      registers,
    }),
    activeStreams: new Gauge({ name: 'ostinato_event_streams', help: 'Open event streams', registers }),
  };
}
