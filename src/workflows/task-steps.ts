/** The activities of tasks as their workflow sees them. */
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { QUEUES } from '../schema/names.ts';

/** A worker that dies is noticed after this long; a step heartbeats every 2 s. */
const HEARTBEAT = '10 seconds';
const RETRY = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30 seconds' } as const;
/** What a step may take beyond the time of the attempt, which it watches itself. */
const BEYOND_SECONDS = 60;

/** `beginAttempt` takes as long as the agent that answers at once; `timeoutSeconds` is the time of one attempt. */
export function callSteps(timeoutSeconds: number) {
  return proxyActivities<Pick<Activities, 'beginAttempt'>>({
    taskQueue: QUEUES.agents,
    startToCloseTimeout: (timeoutSeconds + BEYOND_SECONDS) * 1000,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: 'TRY_CANCEL',
    retry: RETRY,
  });
}

export function builtinSteps(timeoutSeconds: number) {
  return proxyActivities<Pick<Activities, 'runBuiltin'>>({
    taskQueue: QUEUES.stages,
    startToCloseTimeout: (timeoutSeconds + BEYOND_SECONDS) * 1000,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: 'TRY_CANCEL',
    retry: RETRY,
  });
}

export const askSteps = proxyActivities<Pick<Activities, 'askQuietAgent'>>({
  taskQueue: QUEUES.agents,
  startToCloseTimeout: '1 minute',
  cancellationType: 'TRY_CANCEL',
  retry: RETRY,
});

/** Good manners, not more: it is tried once. */
export const courtesySteps = proxyActivities<Pick<Activities, 'tellCancelled'>>({
  taskQueue: QUEUES.agents,
  startToCloseTimeout: '10 seconds',
  scheduleToCloseTimeout: '20 seconds',
  retry: { maximumAttempts: 1 },
});

/** Short database steps: no round trip over a queue. */
export const taskRows = proxyLocalActivities<Pick<Activities, 'finishAttempt' | 'lookAfter'>>({
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '5 seconds' },
});
