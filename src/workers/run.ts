/** Hosts workflows and activities on one connection to Temporal: one workflow worker, activity-only workers beside it. */
import { NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import { dataConverter, temporalConnectionOptions } from '../clients/temporal.ts';
import type { Deps } from '../deps.ts';
import { QUEUES } from '../schema/names.ts';
import type { Tracing } from '../tracing.ts';
import { workflowBundle } from './bundle.ts';
import { createOperate } from './operate.ts';
import { activityQueues, newOwnQueue } from './queues.ts';

/** Time that running activities get to reach a checkpoint when the process is asked to stop. */
const DRAIN = '15 seconds';

export interface RunningWorkers {
  /** Resolves when all have stopped; rejects when one fails. */
  done: Promise<void>;
  stop(): void;
}

export async function runWorkers(deps: Deps, tracing: Tracing | null = null): Promise<RunningWorkers> {
  const connection = await NativeConnection.connect(temporalConnectionOptions(deps.config));
  const stopping = new AbortController();
  const ownQueue = newOwnQueue();
  const activities = createActivities(deps, { stopping: stopping.signal, operate: createOperate(deps), ownQueue });
  const shared = {
    connection,
    namespace: deps.config.TEMPORAL_NAMESPACE,
    activities,
    dataConverter: dataConverter(deps.config),
    shutdownGraceTime: DRAIN,
    // Heartbeats are this quick anyway; throttling would only age what a stopped step can tell.
    maxHeartbeatThrottleInterval: '2 seconds',
    ...(tracing ? { interceptors: tracing.worker.interceptors, sinks: tracing.worker.sinks } : {}),
  };
  const workers = [
    await Worker.create({
      ...shared,
      taskQueue: QUEUES.workflows,
      workflowBundle: await workflowBundle(deps.config.cacheDir, tracing?.worker.workflowModules),
      // Its activities are the local ones only.
      maxCachedWorkflows: 500,
    }),
    ...(await Promise.all(
      activityQueues(deps.config, ownQueue).map((queue) => Worker.create({ ...shared, ...queue })),
    )),
  ];
  const running = workers.map((worker) => worker.run());
  const stop = () => {
    stopping.abort();
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  // When one ends, all end: half a set of workers would leave work lying silently.
  for (const run of running) run.then(stop, stop);
  return { done: Promise.all(running).then(() => connection.close()), stop };
}
