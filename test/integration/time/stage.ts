/** The real workflow bundle on a server that skips time, with activities that a test scripts one by one. */
import { tmpdir } from 'node:os';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { Activities } from '../../../src/activities/index.ts';
import { loadConfig } from '../../../src/schema/config.ts';
import { FAILURES, type FailureCode } from '../../../src/schema/failures.ts';
import type { IngestInput } from '../../../src/schema/ingestion.ts';
import { parseQueue, QUEUES } from '../../../src/schema/names.ts';
import { workflowBundle } from '../../../src/workers/bundle.ts';
import { startTimeSkipping } from '../../support/servers/index.ts';

export type Name = keyof Activities;
/** Stands in for one activity; what it returns is the answer. */
type Part = (input: any, attempt: number) => unknown;

export interface Call {
  name: Name;
  input: any;
  attempt: number;
  /** Milliseconds of the server's own time. */
  at: number;
}

export interface Stage {
  env: TestWorkflowEnvironment;
  /** Every call since the last `play`, in order. */
  calls: Call[];
  callsOf(name: Name): Call[];
  /** Forgets the calls and takes these parts; an activity without one succeeds at once. */
  play(parts: Partial<Record<Name, Part>>): void;
  start(type: string, input?: object): Promise<WorkflowHandle>;
  stop(): Promise<void>;
}

const DONE = { done: true, checkpoint: {} };
const ANSWERS: Partial<Record<Name, unknown>> = {
  parseFile: DONE,
  indexFile: DONE,
  completeFile: { file_id: 'f', status: 'completed', total_records: 1, vector_count: 1, error_count: 0 },
};
const NAMES = {
  fetchFile: true,
  validateFile: true,
  parseFile: true,
  indexFile: true,
  completeFile: true,
  setPaused: true,
  abandonFile: true,
  stopIngestion: true,
  removeFile: true,
  reconcileRuns: true,
  sweepStorage: true,
  catchUpVectors: true,
  beginAttempt: true,
  runBuiltin: true,
  askQuietAgent: true,
  tellCancelled: true,
  finishAttempt: true,
  lookAfter: true,
  watchAgents: true,
  openRun: true,
  planStage: true,
  openApproval: true,
  settleApproval: true,
  settleStage: true,
  finishItems: true,
  setRunStatus: true,
  openStageTask: true,
  closeStageTask: true,
  awaitStageTask: true,
  closePipelineRun: true,
  runStage: true,
  runOperation: true,
  tryDelivery: true,
  closeDelivery: true,
  splitStage: true,
  mergeStage: true,
  mergeItems: true,
} satisfies Record<Name, true>;

export const INPUT: IngestInput = { file_id: 'f', owner: 'ana', source: 'slack', attempt: 1, import: null };

// Scripted failures are no news.
Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { forward: {}, filter: 'OFF' } } });

export async function openStage(startServer = startTimeSkipping): Promise<Stage> {
  const env = await startServer();
  const calls: Call[] = [];
  let parts: Partial<Record<Name, Part>> = {};
  const activities = Object.fromEntries(
    (Object.keys(NAMES) as Name[]).map((name) => [
      name,
      async (input: unknown) => {
        const { attempt } = Context.current().info;
        calls.push({ name, input, attempt, at: await env.currentTimeMs() });
        return (await parts[name]?.(input, attempt)) ?? ANSWERS[name] ?? null;
      },
    ]),
  );
  const shared = {
    connection: env.nativeConnection,
    activities,
    shutdownGraceTime: '1 second',
    // A part that a failed test left waiting must not keep the server alive.
    shutdownForceTime: '5 seconds',
  };
  const config = loadConfig({ env: {}, cwd: tmpdir() });
  const workers = await Promise.all([
    Worker.create({ ...shared, taskQueue: QUEUES.workflows, workflowBundle: await workflowBundle(config.cacheDir) }),
    ...[
      QUEUES.files,
      parseQueue('slack'),
      QUEUES.vectors,
      QUEUES.maintenance,
      QUEUES.agents,
      QUEUES.stages,
      QUEUES.pipelines,
      QUEUES.waits,
      QUEUES.notifications,
    ].map((taskQueue) => Worker.create({ ...shared, taskQueue, maxHeartbeatThrottleInterval: '1 second' })),
  ]);
  const running = workers.map((worker) => worker.run());
  let started = 0;
  return {
    env,
    calls,
    callsOf: (name) => calls.filter((call) => call.name === name),
    play(next) {
      calls.length = 0;
      parts = next;
    },
    start: (type, input = INPUT) =>
      env.client.workflow.start(type, {
        workflowId: `${type}-${++started}`,
        taskQueue: QUEUES.workflows,
        args: [input],
      }),
    async stop() {
      for (const worker of workers) worker.shutdown();
      await Promise.allSettled(running);
      await env.teardown();
    },
  };
}

/** What an activity of the house throws for a failure of this code. */
export function failing(code: FailureCode): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message: `it is ${code}`, nonRetryable: !FAILURES[code].retryable });
}

/** Seconds between calls, to the tenth. */
export function gaps(calls: Call[]): number[] {
  return calls.slice(1).map((call, n) => Math.round((call.at - (calls[n]?.at ?? 0)) / 100) / 10);
}

/** A part that waits until it is asked to stop, heartbeating, and then answers as a real step does. */
export async function untilAsked(): Promise<{ done: false; checkpoint: object }> {
  const context = Context.current();
  while (!context.cancellationSignal.aborted) {
    context.heartbeat();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { done: false, checkpoint: {} };
}

/** A part whose worker is as good as dead: no heartbeat, no answer; `release` ends it. */
export function silence(): { part: Part; release(): void } {
  const { promise, resolve } = Promise.withResolvers<null>();
  return { part: () => promise, release: () => resolve(null) };
}
