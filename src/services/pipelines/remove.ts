/** Taking a run out for good: what it keeps in the object store first, so that nothing is left that no row tells of. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import { LIVE_RUNS, removeRun } from '../../stores/pipeline-runs.ts';

/** Below it lies everything that a run keeps in the object store. */
export function runPrefix(runId: string): string {
  return `runs/${runId}/`;
}

/** Nobody takes it up again meanwhile. Throws Failure('conflict') for a run that is live: cancel it first. */
export async function removeRunForGood(deps: Pick<Deps, 'db' | 'objects'>, runId: string): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    const run = await trx
      .selectFrom('pipeline_runs')
      .select('status')
      .where('run_id', '=', runId)
      .forUpdate()
      .executeTakeFirst();
    if (run && LIVE_RUNS.includes(run.status)) {
      throw new Failure('conflict', `Run ${runId} is ${run.status}: cancel it first`);
    }
    await deps.objects.deletePrefix(runPrefix(runId));
    await removeRun(trx, runId);
  });
}
