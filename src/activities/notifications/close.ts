/** The end of a delivery: its workflow's row, and what was not delivered is listed and told. */
import type { Deps } from '../../deps.ts';
import type { DeliverInput } from '../../schema/pipeline-flow.ts';
import type { FailureRecord } from '../../schema/tables.ts';
import { giveUp } from '../../stores/notifications.ts';
import { closeRun } from '../../stores/runs.ts';

/** Idempotent. */
export async function closeDelivery(
  deps: Deps,
  input: DeliverInput & {
    workflow_id: string;
    status: 'delivered' | 'undelivered' | 'cancelled';
    error: FailureRecord | null;
  },
): Promise<void> {
  const { notification_id, workflow_id, status, error } = input;
  const isNew = await deps.db.transaction().execute(async (trx) => {
    if (status !== 'delivered') await giveUp(trx, notification_id, status);
    const closed = { delivered: 'completed', undelivered: 'failed', cancelled: 'cancelled' } as const;
    return closeRun(trx, workflow_id, closed[status], error);
  });
  if (isNew && error) deps.metrics.failures.inc({ room: 'notifications', code: error.code });
}
