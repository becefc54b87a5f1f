/** What stays of runs and for how long: over HTTP, after their workflow was killed, and when their time is over. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reconcileRuns } from '../../../src/activities/maintenance/reconcile.ts';
import { sweepPipelineRuns } from '../../../src/activities/pipelines/sweep-runs.ts';
import { createApi } from '../../../src/api/app.ts';
import { operations } from '../../../src/operations/index.ts';
import { claimEngine } from '../../../src/services/engine.ts';
import { makeKey } from '../api/stand.ts';
import { caller, op, openStand, pipeline, type Stand } from './stand.ts';

const ana = caller('developer', { id: 'ana' });
let stand: Stand;

beforeAll(async () => {
  stand = await openStand();
}, 120_000);
afterAll(async () => {
  await stand?.close();
});

const ingest = { name: 'load it', type: 'data-ingestion', config: { rows: [{ n: 1 }] } };
const output = { name: 'out', type: 'output', config: { files: [{ format: 'csv', name: 'rows.csv' }] } };

test('over HTTP a pipeline is made, run and its artifact fetched by its own link', async () => {
  const { key } = await makeKey(stand.deps, 'developer');
  const app = createApi({ deps: stand.deps, operations });
  const ask = async (method: string, path: string, body?: object) =>
    app.request(path, {
      method,
      headers: { authorization: `Bearer ${key}`, host: '127.0.0.1', 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const refused = await ask('POST', '/api/v1/pipelines', pipeline([{ name: 'a', type: 'magic' }, { type: 'output' }]));
  expect(refused.status).toBe(422);
  const problem: any = await refused.json();
  expect(problem.code).toBe('invalid_pipeline');
  expect(problem.errors.map(({ path }: any) => path)).toEqual(
    expect.arrayContaining(['stages.0.type', 'stages.1.name']),
  );
  const made = await ask('POST', '/api/v1/pipelines', pipeline([ingest, output]));
  expect(made.status).toBe(201);
  const { links, version }: any = await made.json();
  expect(version).toBe(1);
  const started = await ask('POST', links.execute, { parameters: {} });
  expect(started.status).toBe(202);
  const { run_id, workflow_id, links: run }: any = await started.json();
  expect(workflow_id).toBe(`run-${run_id}`);
  expect(run.ui).toContain(encodeURIComponent(workflow_id));
  await stand.over(run_id);
  const { artifacts }: any = await (await ask('GET', run.artifacts)).json();
  const csv = artifacts.find(({ name }: any) => name === 'out/rows.csv');
  const got = await ask('GET', csv.links.download);
  expect(got.status).toBe(200);
  expect(got.headers.get('content-disposition')).toContain('attachment; filename="rows.csv"');
  expect(got.headers.get('content-length')).toBe(String(csv.bytes));
  expect(got.headers.get('x-content-type-options')).toBe('nosniff');
  expect(await got.text()).toBe('n\n1\n');
  expect(csv.links.download).toContain('/out%2Frows.csv');
  const plain = await ask('GET', `${run.artifacts}/out/rows.csv`);
  expect([plain.status, await plain.text()]).toEqual([200, 'n\n1\n']);
  const parquet = artifacts.find(({ name }: any) => name === 'load it/dataset.parquet');
  const bytes = new Uint8Array(await (await ask('GET', parquet.links.download)).arrayBuffer());
  expect(String.fromCharCode(...bytes.slice(0, 4))).toBe('PAR1');
  expect((await ask('GET', `${run.artifacts}/out%2Fno.csv`)).status).toBe(404);
  expect((await ask('GET', `${run.artifacts}/out/no.csv`)).status).toBe(404);
  const posted = await ask('POST', `${run.artifacts}/out/rows.csv`);
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

test('a run whose workflow was killed is closed with all that waited', async () => {
  const runId = await stand.execute(ana, pipeline([op('one', {}, { approval: true }), op('two')]));
  const { workflow_id } = await stand.until(runId, ({ approvals }) => approvals.length > 0);
  await stand.deps.temporal.workflow.getHandle(workflow_id).terminate();
  await stand.deps.db
    .updateTable('workflow_runs')
    .set({ created_at: new Date(Date.now() - 120_000) })
    .where('workflow_id', '=', workflow_id)
    .execute();
  await claimEngine(stand.deps);
  await new MockActivityEnvironment().run(() => reconcileRuns(stand.deps));
  const run = await stand.over(runId);
  expect(run).toMatchObject({
    status: 'failed',
    approvals: [],
    error: { detail: expect.stringContaining('terminated') },
  });
  expect(run.stages.map(({ status }: any) => status)).toEqual(['cancelled', 'cancelled']);
  expect(await stand.call(ana, 'workflows.get', { workflow_id })).toMatchObject({ status: 'terminated' });
  // It can be taken up again.
  await stand.call(ana, 'runs.retry', { run_id: runId });
  const { approvals } = await stand.until(runId, (again) => again.approvals.length > 0);
  await stand.call(ana, 'approvals.decide', { approval_id: approvals[0].approval_id, decision: 'approve' });
  expect(await stand.over(runId)).toMatchObject({ status: 'completed', attempt: 2 });
});

test('when their time is over, runs go with all that they kept, and younger ones stay', async () => {
  const { pipeline_id } = await stand.call(ana, 'pipelines.create', pipeline([ingest, output]));
  const [old, young] = await Promise.all(
    [1, 2].map(async () => (await stand.call(ana, 'pipelines.execute', { pipeline_id })).run_id as string),
  );
  await Promise.all([stand.over(old ?? ''), stand.over(young ?? '')]);
  const objects = async (runId = '') => {
    let count = 0;
    for await (const _ of stand.deps.objects.list(`runs/${runId}/`)) count += 1;
    return count;
  };
  expect(await objects(old)).toBeGreaterThan(0);
  await stand.call(ana, 'pipelines.delete', { pipeline_id });
  const month = 30 * 86_400_000;
  await stand.deps.db
    .updateTable('pipeline_runs')
    .set({ completed_at: new Date(Date.now() - month) })
    .where('run_id', '=', old ?? '')
    .execute();
  expect(await sweepPipelineRuns(stand.deps, new Date(Date.now() - month / 2))).toBe(1);
  expect(await objects(old)).toBe(0);
  expect(await objects(young)).toBeGreaterThan(0);
  await expect(stand.call(ana, 'runs.get', { run_id: old })).rejects.toMatchObject({ code: 'not_found' });
  expect(await stand.call(ana, 'runs.get', { run_id: young })).toMatchObject({ status: 'completed' });
  // Or before their time, when their owner says so.
  await stand.call(ana, 'runs.delete', { run_id: young });
  expect(await objects(young)).toBe(0);
  await expect(stand.call(ana, 'runs.get', { run_id: young })).rejects.toMatchObject({ code: 'not_found' });
  const live = await stand.execute(ana, pipeline([op('asks', {}, { approval: true })]));
  await expect(stand.call(ana, 'runs.delete', { run_id: live })).rejects.toMatchObject({ code: 'conflict' });
  await stand.call(ana, 'runs.cancel', { run_id: live });
  await stand.over(live);
});
