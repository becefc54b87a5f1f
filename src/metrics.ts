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
  /** Seconds from the first attempt's start to the end of a task; observed by whoever commits the end. */
  taskSeconds: Histogram<'type' | 'outcome'>;
  /** Pipeline runs that ended; counted by whoever commits the end. */
  pipelineRuns: Counter<'outcome'>;
  /** Seconds that a stage of a pipeline took, waiting for approval aside. */
  stageSeconds: Histogram<'type' | 'outcome'>;
  /** Failures by code, and where they were met: a room, `access` for refused credentials, `live`, `mcp` and `http` for doors. */
  failures: Counter<'room' | 'code'>;
  /** Open WebSockets of this process. */
  openSockets: Gauge;
  socketFrames: Counter;
  socketCloses: Counter<'code'>;
  /** Calls that were refused because a caller had used up a limit. */
  rateLimited: Counter<'class'>;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Work, from what an agent answers at once to the longest that may run. */
const WORK_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400];

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
    taskSeconds: new Histogram({
      name: 'ostinato_task_seconds',
      help: 'Time a task took, by type and outcome (completed, failed, cancelled)',
      labelNames: ['type', 'outcome'],
      buckets: WORK_SECONDS,
      registers,
    }),
    pipelineRuns: new Counter({
      name: 'ostinato_pipeline_runs_total',
      help: 'Pipeline runs by outcome (completed, failed, cancelled)',
      labelNames: ['outcome'],
      registers,
    }),
    stageSeconds: new Histogram({
      name: 'ostinato_stage_seconds',
      help: 'Time a stage of a pipeline took, by type and outcome',
      labelNames: ['type', 'outcome'],
      buckets: WORK_SECONDS,
      registers,
    }),
    failures: new Counter({
      name: 'ostinato_failures_total',
      help: 'Failures by code and by the room they were met in',
      labelNames: ['room', 'code'],
      registers,
    }),
    openSockets: new Gauge({ name: 'ostinato_open_sockets', help: 'Open WebSockets', registers }),
    socketFrames: new Counter({ name: 'ostinato_socket_frames_total', help: 'Events sent over WebSockets', registers }),
    socketCloses: new Counter({
      name: 'ostinato_socket_closes_total',
      help: 'WebSockets closed, by code',
      labelNames: ['code'],
      registers,
    }),
    rateLimited: new Counter({
      name: 'ostinato_rate_limited_total',
      help: 'Calls refused because the caller had used up a limit of its minute',
      labelNames: ['class'],
      registers,
    }),
  };
}
