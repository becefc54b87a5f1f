/** The activities of tasks as their workflow sees them. */
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { QUEUES } from '../schema/names.ts';

/** A worker that dies is noticed after this long; a step heartbeats every 2 s. */
const HEARTBEAT = '10 seconds';
const RETRY = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30 seconds' } as const;
/** What a step may take beyond the time of the attempt, which it watches itself. */
const BEYOND_SECONDS = 60;

/** The first step of an attempt: a call that is not answered at once goes on in the process that began it. */
export const firstSteps = proxyLocalActivities<Pick<Activities, 'beginAttempt'>>({
  startToCloseTimeout: '1 minute',
  cancellationType: 'TRY_CANCEL',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '5 seconds' },
});

/** Waits for the answer of an agent, as long as one attempt may take. */
export function callSteps(timeoutSeconds: number) {
  return proxyActivities<Pick<Activities, 'beginAttempt'>>({
    ...callOptions(timeoutSeconds),
    taskQueue: QUEUES.agents,
    retry: RETRY,
  });
}

/** The same in the process that holds the call already. When that one is gone, so is the call. */
export function answerSteps(queue: string, timeoutSeconds: number) {
  return proxyActivities<Pick<Activities, 'beginAttempt'>>({
    ...callOptions(timeoutSeconds),
    taskQueue: queue,
    scheduleToStartTimeout: HEARTBEAT,
    // A second time where the answer came and could not be written down: it is still there.
    retry: { ...RETRY, maximumAttempts: 2 },
  });
}

function callOptions(timeoutSeconds: number) {
  return {
    startToCloseTimeout: (timeoutSeconds + BEYOND_SECONDS) * 1000,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: 'TRY_CANCEL',
  } as const;
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
