/** The real workflows, activities and operations in this process, on a database and a namespace of their own. */
import { randomUUID } from 'node:crypto';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createActivities } from '../../../src/activities/index.ts';
import type { Operate } from '../../../src/activities/pipelines/index.ts';
import { dataConverter, temporalConnectionOptions } from '../../../src/clients/temporal.ts';
import { createDeps, type Deps } from '../../../src/deps.ts';
import { createLog } from '../../../src/logging.ts';
import { operations } from '../../../src/operations/index.ts';
import { invoke } from '../../../src/operations/invoke.ts';
import { QUEUES, type Role } from '../../../src/schema/names.ts';
import type { Principal } from '../../../src/schema/principal.ts';
import { workflowBundle } from '../../../src/workers/bundle.ts';
import { createOperate } from '../../../src/workers/operate.ts';
import { newOwnQueue } from '../../../src/workers/queues.ts';
import { testStack } from '../../support/stack.ts';

export interface Stand {
  deps: Deps;
  /** Runs an operation by name as this caller; throws its Failure. */
  call(principal: Principal, name: string, input?: object, idempotencyKey?: string): Promise<any>;
  /** Creates and executes; resolves with the run's id. */
  execute(principal: Principal, pipeline: object, execution?: object): Promise<string>;
  /** The run once `holds` is true of it. Rejects after 45 s, with the run as it last was. */
  until(runId: string, holds: (run: any) => boolean): Promise<any>;
  /** The run once it is over. */
  over(runId: string): Promise<any>;
  close(): Promise<void>;
}

export function caller(role: Role, more: Partial<Principal> = {}): Principal {
  return { id: `${role}-1`, name: role, role, grants: [], via: 'local', keyId: null, ...more };
}

const ADMIN = caller('admin');

// Failures that a test asks for are no news.
Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { forward: {}, filter: 'OFF' } } });

/** `operate` may answer for operations of a test's own and hand on the rest; `slots`: activities of a queue at once. */
export async function openStand(
  options: { env?: Record<string, string>; slots?: number; operate?(real: Operate): Operate } = {},
): Promise<Stand> {
  const stack = await testStack();
  const config = stack.config({ LOG_LEVEL: 'silent', EMBEDDINGS: 'off', DATABASE_POOL: '10', ...options.env });
  const log = createLog('silent', 'test');
  const deps = await createDeps(config, { log, applicationName: 'test', writesVectors: false });
  const connection = await NativeConnection.connect(temporalConnectionOptions(config));
  const real = createOperate(deps);
  const operate = options.operate?.(real) ?? real;
  const ownQueue = newOwnQueue();
  const activities = createActivities(deps, { stopping: new AbortController().signal, operate, ownQueue });
  const shared = {
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    activities,
    dataConverter: dataConverter(config),
    shutdownGraceTime: '1 second',
    shutdownForceTime: '5 seconds',
    maxHeartbeatThrottleInterval: '1 second',
  };
  const queues = [QUEUES.stages, QUEUES.pipelines, QUEUES.waits, QUEUES.notifications, QUEUES.agents, ownQueue];
  const workers = await Promise.all([
    Worker.create({ ...shared, taskQueue: QUEUES.workflows, workflowBundle: await workflowBundle(config.cacheDir) }),
    ...queues.map((taskQueue) =>
      Worker.create({ ...shared, taskQueue, maxConcurrentActivityTaskExecutions: options.slots ?? 20 }),
    ),
  ]);
  const running = workers.map((worker) => worker.run());

  const call: Stand['call'] = (principal, name, input = {}, idempotencyKey) => {
    const operation = operations.find((one) => one.name === name);
    if (!operation) throw new Error(`no operation ${name}`);
    const signal = new AbortController().signal;
    const invocation = { principal, requestId: randomUUID(), address: null, signal, report: () => {} };
    return invoke(deps, operation, { ...invocation, idempotencyKey: idempotencyKey ?? null }, input);
  };
  const until: Stand['until'] = async (runId, holds) => {
    const end = Date.now() + 45_000;
    for (;;) {
      const run = await call(ADMIN, 'runs.get', { run_id: runId });
      if (holds(run)) return run;
      if (Date.now() > end) throw new Error(`it never held of ${JSON.stringify(run, null, 1)}`);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  };
  return {
    deps,
    call,
    until,
    over: (runId) => until(runId, (run) => run.completed_at !== null),
    async execute(principal, pipeline, execution = {}) {
      const { pipeline_id } = await call(principal, 'pipelines.create', pipeline);
      const { run_id } = await call(principal, 'pipelines.execute', { pipeline_id, ...execution });
      return run_id;
    },
    async close() {
      for (const worker of workers) worker.shutdown();
      await Promise.allSettled(running);
      await connection.close();
      await deps.close();
      await stack.close();
    },
  };
}

/** A pipeline of these stages, each after the one before unless `edges` says otherwise. */
export function pipeline(stages: object[], edges?: [number, number][]): object {
  const chain = stages.slice(1).map((_, n): [number, number] => [n, n + 1]);
  return { name: 'p', stages, dependencies: (edges ?? chain).map(([from, to]) => ({ from, to })) };
}

/** A stage that runs an operation of the test's own. */
export const op = (name: string, input: object = {}, more: object = {}) => ({
  name,
  type: 'operation',
  operation: 'whoami',
  input,
  ...more,
});
