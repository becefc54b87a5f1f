/** Taking a run out for good: what it keeps in the object store first, so that nothing is left that no row tells of. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import { findPipelineRun, LIVE_RUNS, removeRun } from '../../stores/pipeline-runs.ts';

/** Below it lies everything that a run keeps in the object store. */
export function runPrefix(runId: string): string {
  return `runs/${runId}/`;
}

/** Throws Failure('conflict') for a run that is live: cancel it first. */
export async function removeRunForGood(deps: Pick<Deps, 'db' | 'objects'>, runId: string): Promise<void> {
  const run = await findPipelineRun(deps.db, runId);
  if (run && LIVE_RUNS.includes(run.status)) {
    throw new Failure('conflict', `Run ${runId} is ${run.status}: cancel it first`);
  }
  await deps.objects.deletePrefix(runPrefix(runId));
  await removeRun(deps.db, runId);
}
