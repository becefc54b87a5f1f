/** Six stages over a million rows, undisturbed and while everything is killed: the same bytes. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { benchStages, writeOrders } from '../../bench/pipeline/stages.ts';
import { type Part, removeDataDir, type System, startSystem } from '../support/system.ts';

const SOURCE = 'uploads/crash/orders.csv';
const PARTS: Part[] = ['worker', 'api', 'worker', 'temporal', 'postgres', 'worker'];
/** Between two kills; an undisturbed run takes some seconds. */
const EVERY_MS = 1_500;

let system: System;
let pipelineId: string;

beforeAll(async () => {
  system = await startSystem({ S3_BUCKET: 'orders-bucket', LOG_LEVEL: 'error' });
  const file = join(system.dataDir, 'objects', 'orders-bucket', SOURCE);
  mkdirSync(join(file, '..'), { recursive: true });
  await writeOrders(file);
  const stages = benchStages(SOURCE).map((stage) => ({ ...stage, required: true, timeout: 300 }));
  const dependencies = stages.slice(1).map((_, index) => ({ from: index, to: index + 1 }));
  const { status, body } = await system.call('POST', '/api/v1/pipelines', { name: 'orders', stages, dependencies });
  expect(status, JSON.stringify(body)).toBe(201);
  pipelineId = body.pipeline_id;
}, 120_000);
afterAll(async () => {
  await system?.stop();
  if (system) removeDataDir(system);
});

interface Artifact {
  stage: string;
  name: string;
  sha256: string;
  bytes: number;
}

async function execute(): Promise<string> {
  const { status, body } = await system.call('POST', `/api/v1/pipelines/${pipelineId}/execute`, {});
  expect(status, JSON.stringify(body)).toBe(202);
  return body.run_id;
}

const isOver = (run: any) => ['completed', 'failed', 'cancelled'].includes(run.status);

/** The run once `holds` is true of it; survives outages of the API. */
async function until(runId: string, holds: (run: any) => boolean): Promise<any> {
  const end = Date.now() + 240_000;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const { status, body } = await system.call('GET', `/api/v1/pipeline-runs/${runId}`);
      last = body;
      if (status === 200 && holds(body)) return body;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`it never held of ${JSON.stringify(last)}`);
}
const untilOver = (runId: string) => until(runId, isOver);
const look = (runId: string) => until(runId, () => true);

/** Kills `part` while a run works, another one when this one is over by then. Resolves with the run that was hit. */
async function hit(part: Part, runIds: string[]): Promise<string> {
  for (;;) {
    const before = runIds.at(-1);
    if (before === undefined || isOver(await look(before))) runIds.push(await execute());
    const runId = runIds.at(-1) as string;
    await until(runId, (run) => isOver(run) || run.stages.some((stage: any) => stage.status === 'running'));
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    await system.killWhenUp(part);
    const killedAt = Date.now();
    const { completed_at } = await look(runId);
    if (completed_at === null || Date.parse(completed_at) > killedAt) return runId;
  }
}

async function artifacts(runId: string): Promise<Artifact[]> {
  const { status, body } = await system.call('GET', `/api/v1/pipeline-runs/${runId}/artifacts`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body.artifacts
    .map(({ stage, name, sha256, bytes }: Artifact) => ({ stage, name, sha256, bytes }))
    .sort((a: Artifact, b: Artifact) => `${a.stage}/${a.name}`.localeCompare(`${b.stage}/${b.name}`));
}

/** What the analysis says, whole: a difference shows where it lies. */
async function analysis(runId: string): Promise<unknown> {
  const path = `/api/v1/pipeline-runs/${runId}/artifacts/${encodeURIComponent('analyse/analysis.json')}`;
  const { status, body } = await system.call('GET', path);
  expect(status).toBe(200);
  return body;
}

it('gives the same bytes, however often something is killed', async () => {
  const quiet = await untilOver(await execute());
  expect(quiet.status, JSON.stringify(quiet)).toBe('completed');
  const expected = await artifacts(quiet.run_id);
  expect(expected.map(({ name }) => name)).toContain('output/orders.csv');
  expect(expected.find(({ name }) => name === 'output/orders.csv')?.bytes).toBeGreaterThan(50_000_000);

  const rowsOut = (run: any) => run.stages.map((stage: any) => [stage.name, stage.status, stage.dataset?.rows]);
  expect(rowsOut(quiet)).toEqual([
    ['ingest', 'completed', 1_000_000],
    ['transform', 'completed', 999_800],
    ['analyse', 'completed', 999_800],
    ['validate', 'completed', 999_700],
    ['process', 'completed', 999_700],
    ['output', 'completed', 999_700],
  ]);

  const runIds: string[] = [];
  const hits: string[] = [];
  for (const part of PARTS) hits.push(await hit(part, runIds));
  expect(hits).toHaveLength(PARTS.length);
  expect(hits.every((runId) => runIds.includes(runId))).toBe(true);
  for (const runId of runIds) {
    const disturbed = await untilOver(runId);
    expect(disturbed.status, JSON.stringify(disturbed)).toBe('completed');
    expect(await analysis(runId)).toEqual(await analysis(quiet.run_id));
    expect(await artifacts(runId)).toEqual(expected);
    expect(rowsOut(disturbed)).toEqual(rowsOut(quiet));
  }
}, 480_000);
