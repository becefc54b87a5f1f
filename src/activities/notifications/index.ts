/** The activities of notifications. */
import { Context } from '@temporalio/activity';
import type { Deps } from '../../deps.ts';
import type { DeliverInput } from '../../schema/pipeline-flow.ts';
import type { FailureRecord } from '../../schema/tables.ts';
import { byCode, keepAlive } from '../context.ts';
import { closeDelivery } from './close.ts';
import { tryDelivery } from './try.ts';

type Step = DeliverInput & { workflow_id: string };

export function createNotificationActivities(deps: Deps) {
  return {
    tryDelivery: byCode(async (input: Step & { count: number; left_seconds: number }) => {
      // Heartbeats: a worker that dies in the middle is missed soon.
      const stop = keepAlive(() => null);
      try {
        return await tryDelivery(deps, input, Context.current().cancellationSignal);
      } finally {
        stop();
      }
    }),
    closeDelivery: byCode(
      (input: Step & { status: 'delivered' | 'undelivered' | 'cancelled'; error: FailureRecord | null }) =>
        closeDelivery(deps, input),
    ),
  };
}
