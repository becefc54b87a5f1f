/** The activities as workflows see them, each on its queue with its times. */
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { parseQueue, QUEUES, type Source } from '../schema/names.ts';

/** A worker that dies is noticed after this long; a step heartbeats every 2 s. */
const HEARTBEAT = '10 seconds';
/** Outages end: what is worth a retry is tried for as long as it takes, at most half a minute apart. */
const RETRY = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30 seconds' } as const;
/** Reading structure or a few rows. */
const SHORT = '5 minutes';
/** The longest a single step of a large file may take before it counts as stuck. */
const LONG = '24 hours';

export const fileSteps = proxyActivities<Pick<Activities, 'validateFile'>>({
  taskQueue: QUEUES.files,
  startToCloseTimeout: SHORT,
  retry: RETRY,
});

export const fetchSteps = proxyActivities<Pick<Activities, 'fetchFile'>>({
  taskQueue: QUEUES.files,
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: HEARTBEAT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  // Somebody else's server: after this many tries the import fails and can be retried by hand.
  retry: { ...RETRY, maximumAttempts: 5 },
});

/** Stops when asked, says where it was, and goes on from there. */
export function parseSteps(source: Source) {
  return proxyActivities<Pick<Activities, 'parseFile'>>({
    taskQueue: parseQueue(source),
    startToCloseTimeout: LONG,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: RETRY,
  });
}

export const vectorSteps = proxyActivities<
  Pick<Activities, 'indexFile' | 'abandonFile' | 'removeFile' | 'stopIngestion'>
>({
  taskQueue: QUEUES.vectors,
  startToCloseTimeout: LONG,
  heartbeatTimeout: HEARTBEAT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: RETRY,
});

export const maintenanceSteps = proxyActivities<Pick<Activities, 'reconcileRuns' | 'sweepStorage'>>({
  taskQueue: QUEUES.maintenance,
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: HEARTBEAT,
  // The next run of the schedule is the retry.
  retry: { maximumAttempts: 1 },
});

/** Embedding a large file anew takes as long as it takes; the next run of the schedule is the retry here too. */
export const catchUpSteps = proxyActivities<Pick<Activities, 'catchUpVectors'>>({
  taskQueue: QUEUES.vectors,
  startToCloseTimeout: LONG,
  heartbeatTimeout: HEARTBEAT,
  retry: { maximumAttempts: 1 },
});

/** Short database steps: no round trip over a queue. */
export const rowSteps = proxyLocalActivities<Pick<Activities, 'completeFile' | 'setPaused'>>({
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '5 seconds' },
});
