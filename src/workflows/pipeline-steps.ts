/** The activities of pipelines and notifications as their workflows see them, each on its queue with its times. */
import type { RetryPolicy } from '@temporalio/common';
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { QUEUES } from '../schema/names.ts';

/** Outages are waited out; a try that fails of itself says so and is not repeated here. */
const RETRY = {
  initialInterval: '500ms',
  backoffCoefficient: 2,
  maximumInterval: '30 seconds',
  // The engine's name for a try that took longer than it may: the stage decides what follows.
  nonRetryableErrorTypes: ['TemporalTimeout:StartToClose'],
} satisfies RetryPolicy;
const HEARTBEAT = '10 seconds';
/** A step ends itself at its timeout; the engine only helps when it does not. */
const GRACE_SECONDS = 60;

/** One try of a stage. A worker that dies is noticed by its heartbeats, and the try is made again elsewhere. */
export function stageSteps(timeoutSeconds: number) {
  return proxyActivities<Pick<Activities, 'runStage' | 'splitStage' | 'mergeStage' | 'mergeItems'>>({
    taskQueue: QUEUES.stages,
    startToCloseTimeout: `${timeoutSeconds + GRACE_SECONDS} seconds`,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: RETRY,
  });
}

export function operationSteps(timeoutSeconds: number) {
  return proxyActivities<Pick<Activities, 'runOperation'>>({
    taskQueue: QUEUES.pipelines,
    startToCloseTimeout: `${timeoutSeconds + GRACE_SECONDS} seconds`,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: RETRY,
  });
}

/** Waits for a task that somebody else started; long, and asked again as often as it takes. */
export const taskWaits = proxyActivities<Pick<Activities, 'awaitStageTask'>>({
  taskQueue: QUEUES.waits,
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: HEARTBEAT,
  cancellationType: 'TRY_CANCEL',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30 seconds' },
});

/** Short database steps: no round trip over a queue. */
export const pipelineRows = proxyLocalActivities<
  Pick<
    Activities,
    | 'openRun'
    | 'planStage'
    | 'openApproval'
    | 'settleApproval'
    | 'settleStage'
    | 'finishItems'
    | 'setRunStatus'
    | 'openStageTask'
    | 'closeStageTask'
    | 'closePipelineRun'
  >
>({
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '5 seconds' },
});

/** One try to deliver; the workflow counts and waits. */
export const deliverySteps = proxyActivities<Pick<Activities, 'tryDelivery'>>({
  taskQueue: QUEUES.notifications,
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30 seconds' },
});

export const deliveryRows = proxyLocalActivities<Pick<Activities, 'closeDelivery'>>({
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '5 seconds' },
});
