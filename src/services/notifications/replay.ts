/** Notifications as their owners see them, and delivering one again. */
import type { z } from 'zod';
import type { Deps } from '../../deps.ts';
import { canChange, canSee } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import type { NotificationView } from '../../schema/notifications.ts';
import type { Principal } from '../../schema/principal.ts';
import { findNotification, type NotificationRow, reopenNotification } from '../../stores/notifications.ts';
import { findPipelineRun } from '../../stores/pipeline-runs.ts';
import { insertRun } from '../../stores/runs.ts';
import { startAdmitted } from '../engine.ts';
import { mayChangeRun, maySeeRun } from '../pipelines/lookup.ts';
import { deliveryRun } from './open.ts';

/** Who may see the run that it tells of may see it; to deliver it again takes a grant to change the run. */
export async function changeableNotification(
  deps: Pick<Deps, 'db'>,
  principal: Principal,
  id: string,
): Promise<NotificationRow> {
  const row = await findNotification(deps.db, id);
  const run = row?.run_id ? await findPipelineRun(deps.db, row.run_id) : undefined;
  const resource = { owner: row?.owner ?? '', ref: `notification:${id}` };
  const seen = row && (canSee(principal, resource) || (run && maySeeRun(principal, run)));
  if (!seen) throw new Failure('not_found', `No notification ${id}`);
  if (canChange(principal, resource) || (run && mayChangeRun(principal, run))) return row;
  throw new Failure('forbidden', `Notification ${id} may be read but not delivered again with these credentials`);
}

export function notificationView(row: NotificationRow): z.input<typeof NotificationView> {
  const { notification_id, kind, target, event, run_id, status, attempts, last_error } = row;
  return {
    notification_id,
    kind,
    target,
    event,
    run_id,
    status,
    attempts,
    last_error,
    created_at: row.created_at.toISOString(),
    delivered_at: row.delivered_at?.toISOString() ?? null,
    next_attempt_at: row.next_attempt_at?.toISOString() ?? null,
  };
}

/** Throws Failure('conflict') while it is being delivered. */
export async function replayNotification(deps: Deps, row: NotificationRow): Promise<NotificationRow> {
  const { notification_id, owner, run_id } = row;
  const [, before] = /~(\d+)$/.exec(row.workflow_id) ?? [];
  const workflow_id = `notify-${notification_id}~${Number(before ?? 1) + 1}`;
  const run = deliveryRun({ notification_id, owner, workflow_id, run_id });
  const reopened = await deps.db.transaction().execute(async (trx) => {
    const changed = await reopenNotification(trx, notification_id, workflow_id);
    await insertRun(trx, run);
    return changed;
  });
  await startAdmitted(deps, run);
  return reopened;
}
