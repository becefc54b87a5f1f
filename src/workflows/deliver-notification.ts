/** Delivers one notification: tries for a day, ever later, then gives up and says so. */
import { ApplicationFailure, CancellationScope, isCancellation, sleep, workflowInfo } from '@temporalio/workflow';
import type { DeliverInput } from '../schema/pipeline-flow.ts';
import { deliveryRows, deliverySteps } from './pipeline-steps.ts';

const DAY_MS = 86_400_000;

export async function deliverNotification(input: DeliverInput): Promise<{ notification_id: string }> {
  const { notification_id } = input;
  const step = { ...input, workflow_id: workflowInfo().workflowId };
  const begun = Date.now();
  let last = 'not tried';
  try {
    for (let count = 1; ; count += 1) {
      const left_seconds = Math.floor((begun + DAY_MS - Date.now()) / 1000);
      const tried = await deliverySteps.tryDelivery({ ...step, count, left_seconds });
      if (tried.done) {
        await deliveryRows.closeDelivery({ ...step, status: 'delivered', error: null });
        return { notification_id };
      }
      last = tried.error;
      if (tried.final) break;
      await sleep(tried.wait_seconds * 1000);
    }
  } catch (thrown) {
    if (isCancellation(thrown)) {
      await CancellationScope.nonCancellable(() =>
        deliveryRows.closeDelivery({ ...step, status: 'cancelled', error: null }),
      );
    }
    throw thrown;
  }
  const error = { code: 'delivery_failed', detail: last };
  await CancellationScope.nonCancellable(() => deliveryRows.closeDelivery({ ...step, status: 'undelivered', error }));
  throw ApplicationFailure.nonRetryable(error.detail, error.code);
}
