/** Whether each component answers, and how the machine is doing. */
import { statfs } from 'node:fs/promises';
import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import { sql } from 'kysely';
import type { Deps } from '../deps.ts';
import { QUEUES } from '../schema/names.ts';

/** Without these nothing works; without the others less does. */
const NEEDED: ReadonlySet<string> = new Set(['temporal', 'postgres', 'objects']);
const PROBE_MS = 1_000;
const CACHE_MS = 1_000;
const POLLER_FRESH_MS = 90_000;
const TASK_QUEUE_TYPE_WORKFLOW = 1;

export type ComponentStatus = 'up' | 'down' | 'off';

export interface ComponentHealth {
  status: ComponentStatus;
  latency_ms: number;
  /** What it is or what is wrong: for callers who are known. */
  detail?: string;
}

export interface HealthReport {
  /** `degraded`: what is needed works and something else does not. */
  status: 'ok' | 'degraded' | 'down';
  components: Record<string, ComponentHealth>;
  /** Null while Postgres is away. */
  active_workflows: number | null;
  uptime_seconds: number;
  cpu: { cores: number; load_1m: number; process_percent: number };
  memory: { total_bytes: number; free_bytes: number; process_bytes: number };
  disk: { total_bytes: number; free_bytes: number } | null;
}

export interface Health {
  /** Probes everything in parallel, each for a second at most; asked again within a second it repeats itself. */
  report(): Promise<HealthReport>;
}

type Probe = () => Promise<{ status?: ComponentStatus; detail?: string }>;

export function createHealth(deps: Deps): Health {
  const probes = probesOf(deps);
  const processPercent = cpuMeter();
  let last: { at: number; report: Promise<HealthReport> } | null = null;

  async function measure(): Promise<HealthReport> {
    const names = Object.keys(probes);
    const [results, active, disk] = await Promise.all([
      Promise.all(Object.values(probes).map(run)),
      within(countActive(deps)).catch(() => null),
      within(diskOf(deps.config.dataDir)).catch(() => null),
    ]);
    const components = Object.fromEntries(names.map((name, n) => [name, results[n] ?? failed('not probed')]));
    return {
      status: overall(components),
      components,
      active_workflows: active,
      uptime_seconds: Math.round(process.uptime()),
      cpu: { cores: availableParallelism(), load_1m: round(loadavg()[0] ?? 0), process_percent: processPercent() },
      memory: { total_bytes: totalmem(), free_bytes: freemem(), process_bytes: process.memoryUsage.rss() },
      disk,
    };
  }

  return {
    report() {
      if (!last || performance.now() - last.at > CACHE_MS) last = { at: performance.now(), report: measure() };
      return last.report;
    },
  };
}

function overall(components: Record<string, ComponentHealth>): HealthReport['status'] {
  const down = Object.entries(components).filter(([, { status }]) => status === 'down');
  if (down.some(([name]) => NEEDED.has(name))) return 'down';
  return down.length > 0 ? 'degraded' : 'ok';
}

function probesOf(deps: Deps): Record<string, Probe> {
  const { config, objects, vectors, cache, embedder, semanticOff } = deps;
  return {
    temporal: async () => {
      await deps.temporal.workflowService.describeNamespace({ namespace: config.TEMPORAL_NAMESPACE });
      return { detail: `${config.TEMPORAL_ADDRESS ?? ''} ${config.TEMPORAL_NAMESPACE}`.trim() };
    },
    postgres: async () => {
      const row = await sql<{ v: string }>`SELECT current_setting('server_version') AS v`.execute(deps.db);
      return { detail: `Postgres ${row.rows[0]?.v ?? ''}` };
    },
    objects: async () => {
      await objects.ping();
      return { detail: `${objects.kind} ${objects.bucket}` };
    },
    vectors: async () => {
      if (vectors === null) return off(semanticOff);
      await vectors.ping();
      return { detail: `${vectors.kind}, ${vectors.dimensions} dimensions` };
    },
    cache: async () => {
      await cache.ping();
      return { detail: cache.kind };
    },
    embeddings: async () => (embedder === null ? off(semanticOff) : { detail: embedder.name }),
    worker: async () => {
      const queue = await deps.temporal.workflowService.describeTaskQueue({
        namespace: config.TEMPORAL_NAMESPACE,
        taskQueue: { name: QUEUES.workflows },
        taskQueueType: TASK_QUEUE_TYPE_WORKFLOW,
      });
      const oldest = Date.now() - POLLER_FRESH_MS;
      const fresh = (queue.pollers ?? []).filter(
        (poller) => Number(poller.lastAccessTime?.seconds ?? 0) * 1000 > oldest,
      );
      if (fresh.length === 0) throw new Error('no worker polls the workflow queue');
      return { detail: fresh.map((poller) => poller.identity).join(', ') };
    },
  };
}

function off(why: string | null): { status: 'off'; detail?: string } {
  return why === null ? { status: 'off' } : { status: 'off', detail: why };
}

async function run(probe: Probe): Promise<ComponentHealth> {
  const started = performance.now();
  try {
    const { status = 'up', detail } = await within(probe());
    const latency_ms = round(performance.now() - started);
    return { status, latency_ms, ...(detail === undefined ? {} : { detail }) };
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error), round(performance.now() - started));
  }
}

function failed(detail: string, latency_ms = 0): ComponentHealth {
  return { status: 'down', latency_ms, detail };
}

/** Rejects after a second; what was asked may still end later and is then nobody's. */
async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PROBE_MS} ms`)), PROBE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}

async function countActive(deps: Deps): Promise<number> {
  const row = await deps.db
    .selectFrom('workflow_runs')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('closed_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

async function diskOf(folder: string): Promise<{ total_bytes: number; free_bytes: number }> {
  const { bsize, blocks, bavail } = await statfs(folder);
  return { total_bytes: blocks * bsize, free_bytes: bavail * bsize };
}

/** Percent of one core that this process used since it was last asked. */
function cpuMeter(): () => number {
  let before = process.cpuUsage();
  let at = performance.now();
  return () => {
    const used = process.cpuUsage(before);
    const elapsed = Math.max(performance.now() - at, 1);
    before = process.cpuUsage();
    at = performance.now();
    return round((used.user + used.system) / 10 / elapsed);
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
