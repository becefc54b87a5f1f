/** Asking for an approval and settling it, each in one transaction with its event and its notifications. */
import type { Deps } from '../../deps.ts';
import type { Decision, DecisionAnswer, OpenedApproval, RunRef } from '../../schema/pipeline-flow.ts';
import { APPROVAL_SECONDS } from '../../schema/pipelines.ts';
import { openNotifications, startNotifications } from '../../services/notifications/open.ts';
import { askApproval, settleApprovalRow } from '../../stores/approvals.ts';
import { uuidV5 } from '../../stores/ids.ts';
import { tellProgress } from '../../stores/pipeline-progress.ts';
import { lockRun } from '../../stores/pipeline-runs.ts';
import { setStage } from '../../stores/pipeline-stages.ts';
import { readRun, stageOf } from './run-data.ts';

/** Asks once for each attempt of the run; a repeat finds what was asked. */
export async function openApproval(deps: Deps, input: RunRef & { stage: number }): Promise<OpenedApproval> {
  const { opened, notifications } = await deps.db.transaction().execute(async (trx) => {
    const run = await lockRun(trx, input);
    const { approval, name } = stageOf(await readRun(trx, input.run_id), input.stage);
    const wanted = typeof approval === 'object' ? approval : {};
    const { row, asked } = await askApproval(
      trx,
      {
        approval_id: uuidV5(`approval:${input.workflow_id}/${input.stage}`),
        run_id: run.run_id,
        stage: input.stage,
        owner: run.owner,
        message: wanted.message ?? '',
        deadline: new Date(Date.now() + (wanted.deadline_seconds ?? APPROVAL_SECONDS) * 1000),
      },
      run.pipeline_id,
      input.workflow_id,
    );
    const place = { run_id: run.run_id, stage: input.stage, item: -1 };
    if (row.status === 'pending') {
      const changed = await setStage(trx, place, { status: 'waiting', reason: 'waits for an approval', error: null });
      if (changed && asked) await tellProgress(trx, run, `${input.stage}/waiting`);
    }
    const { approval_id, status, deadline, message } = row;
    const notifications = asked
      ? await openNotifications(trx, run, 'approval.requested', approval_id, {
          approval_id,
          stage: name,
          message,
          deadline: deadline.toISOString(),
          decide: `${deps.config.publicUrl}/api/v1/approvals/${approval_id}/decide`,
        })
      : [];
    const opened: OpenedApproval = {
      approval_id,
      deadline: deadline.getTime(),
      on_timeout: wanted.on_timeout ?? 'reject',
      status,
    };
    return { opened, notifications };
  });
  await startNotifications(deps, notifications);
  return opened;
}

/** `expire`: nobody decided in time, and the stage's own rule decides. */
export async function settleApproval(
  deps: Deps,
  input: { workflow_id: string } & (Decision | { approval_id: string; decision: 'expire'; approve: boolean }),
): Promise<DecisionAnswer> {
  const { workflow_id, approval_id } = input;
  const settlement =
    input.decision === 'expire'
      ? {
          approval_id,
          status: input.approve ? ('approved' as const) : ('expired' as const),
          decided_by: null,
          comment: 'nobody decided in time',
        }
      : {
          approval_id,
          status: input.decision === 'approve' ? ('approved' as const) : ('rejected' as const),
          decided_by: input.by,
          comment: input.comment,
        };
  return deps.db.transaction().execute((trx) => settleApprovalRow(trx, settlement, workflow_id));
}
