/** The worker process: hosts every workflow and activity until it is told to stop, then drains. */
import { Runtime } from '@temporalio/worker';
import { createDeps } from '../deps.ts';
import { createLog } from '../logging.ts';
import { loadConfig } from '../schema/config.ts';
import { claimEngine } from '../services/engine.ts';
import { freeMetricsAddress, serveWorkerMetrics } from '../services/worker-metrics.ts';
import { startTracing } from '../tracing.ts';
import { prepareNamespace } from './prepare-namespace.ts';
import { runWorkers } from './run.ts';
import { ensureSchedules } from './schedules.ts';
import { temporalLogger } from './temporal-logger.ts';
import { warmUp } from './warm-up.ts';

const config = loadConfig();
const log = createLog(config.LOG_LEVEL, 'worker');
const runtimeAddress = await freeMetricsAddress();
Runtime.install({
  logger: temporalLogger(log),
  telemetryOptions: { metrics: { prometheus: { bindAddress: runtimeAddress } } },
  // Signals are ours: the store must stay open until the last activity has stopped.
  shutdownSignals: [],
});
const tracing = await startTracing(config, { service: 'ostinato-worker', log });
const deps = await createDeps(config, {
  log,
  applicationName: 'ostinato-worker',
  writesVectors: true,
  clientInterceptors: tracing?.client,
});
const metrics = await serveWorkerMetrics({ config, registry: deps.metrics.registry, runtimeAddress });
await prepareNamespace(deps, log);
const workers = await runWorkers(deps, tracing);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => workers.stop());
if (!(await claimEngine(deps))) {
  log.error('this Postgres belongs to another Temporal namespace: nothing will be reconciled until they match');
}
await ensureSchedules(deps);
void warmUp(deps);
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
try {
  await workers.done;
  await metrics.close();
  await deps.close();
  await tracing?.close();
  log.info('drained');
} catch (error) {
  log.fatal({ err: error }, 'a worker failed');
  process.exitCode = 1;
}
// Native handles must not keep a drained process alive.
process.exit();
