/** Steps of a run that meet an outage or a slow evaluator half-way: what they leave, and what they hold meanwhile. */
import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Reconciled, reconcileRuns } from '../../../src/activities/maintenance/reconcile.ts';
import { planStage } from '../../../src/activities/pipelines/plan-stage.ts';
import type { Deps } from '../../../src/deps.ts';
import type { PipelineDefinition } from '../../../src/schema/pipelines.ts';
import { claimEngine } from '../../../src/services/engine.ts';
import { workflowOf } from '../../../src/services/pipelines/execute.ts';
import { findPipelineRun, insertPipelineRun, lockRun } from '../../../src/stores/pipeline-runs.ts';
import { insertStages, stagesOf } from '../../../src/stores/pipeline-stages.ts';
import { insertPipeline } from '../../../src/stores/pipelines.ts';
import { findRun, insertRun } from '../../../src/stores/runs.ts';
import { openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await openStand();
  await claimEngine(stand.deps);
});
afterAll(() => stand?.close());

/** A run of one stage that its workflow is at work on, as rows. */
async function running(when = 'true') {
  const run = { run_id: randomUUID(), pipeline_id: randomUUID(), owner: 'ana' };
  const stage = { name: 'one', type: 'operation', operation: 'whoami', input: {}, required: true, when };
  const definition = { name: 'p', description: '', stages: [stage], dependencies: [] } as unknown as PipelineDefinition;
  const workflow = workflowOf(run, 1);
  const { workflow_id } = workflow;
  await stand.deps.db.transaction().execute(async (trx) => {
    await insertPipeline(trx, { ...run, definition });
    const given = { principal: '{}', input_data: 'null', parameters: '{}', notification: 'null' };
    await insertPipelineRun(trx, { ...run, ...given, version: 1, workflow_id, status: 'running' });
    await insertStages(trx, { run_id: run.run_id, stages: definition.stages, compensating: new Set() });
    await insertRun(trx, workflow);
    await sql`UPDATE workflow_runs SET status = 'running', created_at = now() - interval '1 hour'
      WHERE workflow_id = ${workflow_id}`.execute(trx);
  });
  return { run_id: run.run_id, workflow_id, attempt: 1 };
}

test('a run whose workflow is gone is closed by a later round when the first one fails half-way', async () => {
  const { run_id, workflow_id } = await running();
  const { db, temporal: client } = stand.deps;
  const temporal = {
    workflowService: client.workflowService,
    withDeadline: client.withDeadline.bind(client),
    workflow: {
      getHandle: (id: string) => ({
        describe: () => Promise.reject(new WorkflowNotFoundError('none', id, undefined)),
      }),
    },
  } as unknown as Deps['temporal'];
  const round = () => new MockActivityEnvironment().run(() => reconcileRuns({ ...stand.deps, temporal }));
  await sql`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$`.execute(db);
  await sql`CREATE TRIGGER refuse BEFORE UPDATE ON pipeline_runs FOR EACH ROW EXECUTE FUNCTION refuse()`.execute(db);
  expect((await round()) as Reconciled).toMatchObject({ closed: 0 });
  expect(await findRun(db, workflow_id)).toMatchObject({ status: 'running', closed_at: null });
  await sql`DROP TRIGGER refuse ON pipeline_runs`.execute(db);
  expect((await round()) as Reconciled).toMatchObject({ closed: 1 });
  expect(await findPipelineRun(db, run_id)).toMatchObject({ status: 'failed', error: { code: 'internal' } });
  expect(await stagesOf(db, run_id)).toMatchObject([{ status: 'cancelled' }]);
  // How the workflow ended is told in its own words.
  expect(await findRun(db, workflow_id)).toMatchObject({ status: 'terminated', closed_at: expect.any(Date) });
});

/** The step with an evaluator that gives `value` and does `meanwhile` before. */
const plan = (ref: Awaited<ReturnType<typeof running>>, value: boolean, meanwhile: () => Promise<unknown>) =>
  planStage(
    {
      ...stand.deps,
      expressions: {
        give: async () => {
          await meanwhile();
          return value;
        },
        pids: () => [],
        close: async () => {},
      },
    },
    { ...ref, stage: 0 },
  );

test('while the expressions of a stage are evaluated, its run is locked by nobody and no connection is held', async () => {
  const ref = await running('1 > 2');
  const { db, pool } = stand.deps;
  let held = -1;
  const planned = await plan(ref, false, async () => {
    held = pool.totalCount - pool.idleCount;
    await db.transaction().execute(async (trx) => {
      await sql`SET LOCAL lock_timeout = '500ms'`.execute(trx);
      await lockRun(trx, ref);
    });
  });
  expect(held).toBe(0);
  expect(planned).toMatchObject({ action: 'skip' });
  expect(await stagesOf(db, ref.run_id)).toMatchObject([{ status: 'skipped' }]);
});

test('what was evaluated for an attempt that is over by then is not written', async () => {
  const ref = await running();
  const { db } = stand.deps;
  const next = () =>
    db.transaction().execute(async (trx) => {
      await sql`SET LOCAL lock_timeout = '500ms'`.execute(trx);
      await sql`UPDATE pipeline_runs SET attempt = 2 WHERE run_id = ${ref.run_id}`.execute(trx);
    });
  await expect(plan(ref, false, next)).rejects.toMatchObject({ code: 'conflict' });
  expect(await stagesOf(db, ref.run_id)).toMatchObject([{ status: 'pending' }]);
});
