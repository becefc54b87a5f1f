/** The end of a run: one terminal status, what never began is cancelled, and whoever wanted to know is told. */
import type { Deps } from '../../deps.ts';
import type { CloseRunInput } from '../../schema/pipeline-flow.ts';
import type { FailureRecord, RunStatus } from '../../schema/tables.ts';
import { openNotifications, startNotifications } from '../../services/notifications/open.ts';
import { cancelApprovals } from '../../stores/approvals.ts';
import { tellProgress } from '../../stores/pipeline-progress.ts';
import { LIVE_RUNS, lockRun, patchRun } from '../../stores/pipeline-runs.ts';
import { cancelOpenStages } from '../../stores/pipeline-stages.ts';
import { closeRun } from '../../stores/runs.ts';
import { stopTasksOf } from './foreign-tasks.ts';

const REASONS = {
  completed: 'the run was over',
  failed: 'another stage failed first',
  cancelled: 'the run was cancelled',
};

/**
 * Idempotent: the first end counts, and a repeat starts only what was not started yet. `workflow` is how its workflow
 * ended, where that is another word than the run's.
 */
export async function closePipelineRun(
  deps: Deps,
  input: CloseRunInput,
  workflow: { status: RunStatus; error: FailureRecord | null } = input,
): Promise<void> {
  const { status, error } = input;
  await stopTasksOf(deps, input);
  const { ended, notifications } = await deps.db.transaction().execute(async (trx) => {
    const run = await lockRun(trx, input);
    const ended = LIVE_RUNS.includes(run.status);
    if (ended) {
      await cancelOpenStages(trx, run.run_id, REASONS[status]);
      await cancelApprovals(trx, run.run_id, input.workflow_id);
      await patchRun(trx, run.run_id, { status, error: JSON.stringify(error), completed_at: new Date() });
      await tellProgress(trx, run, 'closed');
      await closeRun(trx, input.workflow_id, workflow.status, workflow.error);
    }
    const key = `${input.attempt}`;
    return {
      ended,
      notifications: await openNotifications(trx, { ...run, status, error }, `pipeline.${status}`, key, {}),
    };
  });
  if (ended) {
    deps.metrics.pipelineRuns.inc({ outcome: status });
    if (error) deps.metrics.failures.inc({ room: 'pipelines', code: error.code });
  }
  await startNotifications(deps, notifications);
}
