/** Gauges of what is in the database, read when somebody asks: right however many processes there are. */
import { Gauge, Registry } from 'prom-client';
import type { Deps } from '../deps.ts';
import { AGENT_STATUSES, PRIORITIES, WORKFLOWS } from '../schema/names.ts';
import { type Load, readLoad } from '../stores/load.ts';

/** Asked again within this time, the last answer is repeated. */
const FRESH_MS = 5_000;
const PATIENCE_MS = 2_000;

/**
 * A function that resolves with a page in Prometheus' text form; empty while the database does not answer, because an
 * old number would be a wrong one. The samples carry no process: they are the same from every one.
 */
export function createLoadMetrics(deps: Pick<Deps, 'db' | 'config' | 'log'>): () => Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const agents = new Gauge({
    name: 'ostinato_agents',
    help: 'Registered agents by status',
    labelNames: ['status'],
    registers,
  });
  const load = new Gauge({
    name: 'ostinato_agent_load',
    help: 'Load that an agent tells of itself, 0 to 1',
    labelNames: ['agent_id', 'name'],
    registers,
  });
  const busy = new Gauge({
    name: 'ostinato_agent_running_tasks',
    help: 'Tasks that an agent holds',
    labelNames: ['agent_id', 'name'],
    registers,
  });
  const queued = new Gauge({
    name: 'ostinato_tasks_queued',
    help: 'Tasks that wait for a slot or an agent, by priority',
    labelNames: ['priority'],
    registers,
  });
  const oldest = new Gauge({
    name: 'ostinato_tasks_queued_oldest_seconds',
    help: 'How long the first of the waiting tasks has waited, by priority',
    labelNames: ['priority'],
    registers,
  });
  const running = new Gauge({ name: 'ostinato_tasks_running', help: 'Tasks that hold a slot', registers });
  const slots = new Gauge({ name: 'ostinato_task_slots', help: 'Tasks that may run at once', registers });
  const open = new Gauge({
    name: 'ostinato_open_workflows',
    help: 'Workflows that were admitted and have not ended, by type',
    labelNames: ['type'],
    registers,
  });

  function show(now: Load): void {
    registry.resetMetrics();
    // What there is none of is 0, not absent: an alert must see it.
    for (const status of AGENT_STATUSES) agents.set({ status }, 0);
    for (const { status, count } of now.agents) agents.set({ status }, count);
    for (const { agent_id, name, ...one } of now.each) {
      load.set({ agent_id, name }, one.load);
      busy.set({ agent_id, name }, one.running);
    }
    for (const [rank, priority] of PRIORITIES.entries()) {
      const waiting = now.queued.find((one) => one.priority === rank);
      queued.set({ priority }, waiting?.count ?? 0);
      oldest.set({ priority }, waiting?.oldest_seconds ?? 0);
    }
    running.set(now.running);
    slots.set(deps.config.MAX_CONCURRENT_TASKS);
    for (const type of Object.values(WORKFLOWS)) open.set({ type }, 0);
    for (const { type, count } of now.open) open.set({ type }, count);
  }

  async function read(): Promise<string> {
    try {
      show(await within(readLoad(deps.db)));
      return await registry.metrics();
    } catch (err) {
      deps.log.warn({ err }, 'the metrics of the database are left out');
      return '';
    }
  }

  let last: { at: number; page: Promise<string> } | null = null;
  return () => {
    if (!last || performance.now() - last.at > FRESH_MS) last = { at: performance.now(), page: read() };
    return last.page;
  };
}

async function within<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
