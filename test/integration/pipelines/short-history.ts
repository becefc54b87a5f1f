/** A run whose workflow begins anew after few events, so that a test need not make thousands. */
import type { Deps } from '../../../src/deps.ts';
import type { Principal } from '../../../src/schema/principal.ts';
import { startRun } from '../../../src/services/engine.ts';
import { executePipeline } from '../../../src/services/pipelines/execute.ts';
import { findRun } from '../../../src/stores/runs.ts';

/** Admitted while the engine seems to be away, so that it waits to be started. */
export async function admitRun(
  deps: Deps,
  principal: Principal,
  pipelineId: string,
  execution: object,
): Promise<string> {
  const away = { workflow: { start: () => Promise.reject(Object.assign(new Error('away'), { code: 14 })) } };
  const { run_id } = await executePipeline(
    { ...deps, temporal: away as unknown as Deps['temporal'] },
    { principal, requestId: 'test', idempotencyKey: null },
    pipelineId,
    { parameters: {}, ...execution },
  );
  return run_id;
}

/** Starts it with this limit; resolves with a way to count how many runs of the workflow there were. */
export async function start(deps: Deps, runId: string, limit: number): Promise<() => Promise<number>> {
  const row = await findRun(deps.db, `run-${runId}`);
  if (!row) throw new Error('it was not admitted');
  await startRun(deps, { ...row, input: { ...row.input, history_limit: limit } });
  return async () => {
    let count = 0;
    const query = `WorkflowId = 'run-${runId}'`;
    const until = Date.now() + 10_000;
    // Visibility lags behind.
    while (count < 3 && Date.now() < until) {
      count = 0;
      for await (const _ of deps.temporal.workflow.list({ query })) count += 1;
    }
    return count;
  };
}
