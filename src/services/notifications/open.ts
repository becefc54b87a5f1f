/** Notifications of a run: their rows with the change that they tell, and the workflows that deliver them after it. */
import type { Deps } from '../../deps.ts';
import type { JsonObject } from '../../schema/json.ts';
import { WORKFLOWS } from '../../schema/names.ts';
import type { NotificationEvent } from '../../schema/notifications.ts';
import type { DeliverInput } from '../../schema/pipeline-flow.ts';
import type { Notification } from '../../schema/pipelines.ts';
import type { Trx } from '../../stores/database.ts';
import { uuidV5 } from '../../stores/ids.ts';
import { insertNotification } from '../../stores/notifications.ts';
import type { PipelineRunRow } from '../../stores/pipeline-runs.ts';
import { insertRun, type NewRun } from '../../stores/runs.ts';
import { startAdmitted } from '../engine.ts';

export function deliveryRun(input: DeliverInput & { workflow_id: string; run_id: string | null }): NewRun {
  const { workflow_id, run_id, notification_id, owner } = input;
  return {
    workflow_id,
    type: WORKFLOWS.deliverNotification,
    room: 'pipelines',
    owner,
    source: null,
    resource: run_id === null ? null : `run:${run_id}`,
    input: { notification_id, owner },
  };
}

/**
 * One for each target that the run names, the same ones however often this is repeated for `key`. Resolves with the
 * workflows to start after the commit.
 */
export async function openNotifications(
  trx: Trx,
  run: Pick<PipelineRunRow, 'run_id' | 'pipeline_id' | 'version' | 'owner' | 'notification' | 'status' | 'error'>,
  event: NotificationEvent,
  key: string,
  data: JsonObject,
): Promise<NewRun[]> {
  const { webhook, email, credential } = (run.notification ?? {}) as Notification;
  const targets = [
    ...(webhook === undefined ? [] : [{ kind: 'webhook' as const, target: webhook, credential: credential ?? null }]),
    ...(email === undefined ? [] : [{ kind: 'email' as const, target: email, credential: null }]),
  ];
  const runs: NewRun[] = [];
  for (const target of targets) {
    const notification_id = uuidV5(`notification:${run.run_id}/${event}/${key}/${target.kind}`);
    const workflow_id = `notify-${notification_id}`;
    const body = {
      type: event,
      timestamp: new Date().toISOString(),
      data: {
        run_id: run.run_id,
        pipeline_id: run.pipeline_id,
        version: run.version,
        status: run.status,
        error: run.error && { code: run.error.code, detail: run.error.detail },
        ...data,
      },
    };
    const row = { notification_id, owner: run.owner, event, run_id: run.run_id, workflow_id, ...target };
    const delivery = deliveryRun({ notification_id, owner: run.owner, workflow_id, run_id: run.run_id });
    if (await insertNotification(trx, { ...row, body: JSON.stringify(body) })) await insertRun(trx, delivery);
    runs.push(delivery);
  }
  return runs;
}

/** After the commit. Starting twice is no error; what cannot be started now is started by the reconciler. */
export async function startNotifications(deps: Deps, runs: NewRun[]): Promise<void> {
  for (const run of runs) await startAdmitted(deps, run);
}
