/** Retention of runs: rows, and what they keep in the object store. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import { removeRunForGood } from '../../services/pipelines/remove.ts';
import { runsEndedBefore } from '../../stores/pipeline-runs.ts';

const AT_ONCE = 200;

/**
 * Removes runs that ended before `before`: objects first, so that a crash in between leaves a row that is swept again.
 * Resolves with how many. Notifications of that age go with them, and versions of deleted pipelines that no run needs.
 */
export async function sweepPipelineRuns(deps: Deps, before: Date): Promise<number> {
  let removed = 0;
  for (;;) {
    const runs = await runsEndedBefore(deps.db, before, AT_ONCE);
    for (const { run_id } of runs) {
      // One that was taken up again just now is not over any more.
      const gone = await removeRunForGood(deps, run_id).then(
        () => true,
        (error) => {
          if (error instanceof Failure && error.code === 'conflict') return false;
          throw error;
        },
      );
      if (gone) removed += 1;
    }
    if (runs.length < AT_ONCE) break;
  }
  await deps.db.deleteFrom('notifications').where('created_at', '<', before).where('status', '<>', 'pending').execute();
  await deps.db
    .deleteFrom('pipelines')
    .where('deleted_at', '<', before)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('pipeline_runs')
            .select('run_id')
            .whereRef('pipeline_runs.pipeline_id', '=', 'pipelines.pipeline_id'),
        ),
      ),
    )
    .execute();
  return removed;
}
