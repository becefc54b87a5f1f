/** Runs and deliveries whose workflow is gone without having said how it ended: closed in its place. */
import type { Deps } from '../../deps.ts';
import type { FailureRecord, RunStatus } from '../../schema/tables.ts';
import { giveUp } from '../../stores/notifications.ts';
import { findRunOfWorkflow } from '../../stores/pipeline-runs.ts';
import { closeRun, type RunRow } from '../../stores/runs.ts';
import { closePipelineRun } from './close-run.ts';

/** With its stages and approvals; whoever wanted to know is told. */
export async function closeDeadRun(
  deps: Deps,
  { workflow_id }: RunRow,
  status: RunStatus,
  error: FailureRecord | null,
): Promise<void> {
  const run = await findRunOfWorkflow(deps.db, workflow_id);
  // A workflow that completed has closed its run itself; a later attempt has a workflow of its own.
  if (run && status !== 'completed') {
    const ended = status === 'cancelled' ? 'cancelled' : 'failed';
    const { run_id, attempt } = run;
    const closing = { run_id, workflow_id, attempt, status: ended, error: ended === 'failed' ? error : null } as const;
    await closePipelineRun(deps, closing, { status, error });
  }
  // Last of all: a workflow whose row is closed is looked at by nobody any more, however far this had come.
  await closeRun(deps.db, workflow_id, status, error);
}

export async function closeDeadDelivery(
  deps: Deps,
  row: RunRow,
  status: RunStatus,
  error: FailureRecord | null,
): Promise<void> {
  const { notification_id } = row.input as { notification_id: string };
  const isNew = await deps.db.transaction().execute(async (trx) => {
    if (status !== 'completed')
      await giveUp(trx, notification_id, status === 'cancelled' ? 'cancelled' : 'undelivered');
    return closeRun(trx, row.workflow_id, status, error);
  });
  if (isNew && error && status !== 'cancelled') {
    deps.metrics.failures.inc({ room: 'notifications', code: error.code });
  }
}
