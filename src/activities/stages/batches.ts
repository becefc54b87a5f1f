/** Batches for agents: rows go out as one object a batch, and what the agents answer comes back as one dataset. */
import { Failure } from '../../schema/failures.ts';
import type { BatchRef, StageOutput, StageRequest, StageRunner } from '../../schema/stages/contract.ts';
import { ProcessingConfig } from '../../schema/stages/processing.ts';
import { type Job, mainInput, openSession, POSITION, type StageDeps, writeDataset, writeTableArtifact } from './job.ts';
import { planOf } from './processing/plan.ts';
import { literal } from './quote.ts';
import { inWorkspace, type StageEngines } from './runner.ts';

type Options = Parameters<StageRunner['run']>[1];
const ALONE: () => Options = () => ({ signal: new AbortController().signal, progress: () => undefined });
/** More are no batches but rows; each is an object and a task. */
const MAX_BATCHES = 10_000;

/**
 * Writes each `batch_size` rows of the first input as `<prefix>batches/<number>.<format>`. The same request gives the
 * same keys and bytes. Throws Failure('invalid_input') for more than 10,000 batches.
 */
export async function splitBatches(
  deps: StageDeps,
  runner: StageEngines,
  request: StageRequest,
  options: Options = ALONE(),
): Promise<BatchRef[]> {
  const config = ProcessingConfig.parse(request.config);
  const format = config.agent?.format ?? 'ndjson';
  return inWorkspace(deps, runner.engines, request, options, async (job) => {
    const { rows } = mainInput(job);
    const plan = planOf({ config, request }, rows);
    if (plan.batches > MAX_BATCHES) {
      throw new Failure(
        'invalid_input',
        `batch_size: ${rows} rows in batches of ${plan.size} are ${plan.batches} batches; ${MAX_BATCHES} at most`,
      );
    }
    const session = await openSession(job);
    try {
      const batches: BatchRef[] = [];
      for (let at = 0; at < plan.batches; at += 1) {
        const from = at * plan.size;
        const select = `SELECT * EXCLUDE (${POSITION}) FROM __input WHERE ${POSITION} >= ${from} AND ${POSITION} < ${from + plan.size} ORDER BY ${POSITION}`;
        const file = `${String(at).padStart(5, '0')}.${format}`;
        const key = `${request.prefix}batches/${file}`;
        const artifact = await writeTableArtifact(job, session, select, { name: file, format, key }, { at: 'batches' });
        batches.push({ key, rows: artifact.rows ?? 0 });
        job.progress((at + 1) / plan.batches, `Batch ${at + 1} of ${plan.batches}`);
      }
      return batches;
    } finally {
      await session.close();
    }
  });
}

/**
 * Joins what agents answered, one object a batch (NDJSON, a JSON array, or Parquet, told by the key's ending), in the
 * order given. Throws Failure('malformed') that names the batch.
 */
export async function mergeBatches(
  deps: StageDeps,
  runner: StageEngines,
  request: StageRequest,
  results: { key: string }[],
  options: Options = ALONE(),
): Promise<StageOutput> {
  return inWorkspace(deps, runner.engines, request, options, async (job) => {
    const files = await Promise.all(results.map(async ({ key }) => ({ key, path: await job.workspace.bring(key) })));
    if (files.length === 0) return nothing(job);
    const session = await openSession(job, { files: files.map(({ key, path }) => ({ path, label: key })) });
    try {
      const parts = files.map(({ key, path }) => readerOf(key, path));
      for (const [at, part] of parts.entries()) {
        await session.query(`DESCRIBE SELECT * FROM ${part}`, { at: `batch ${at + 1}`, code: 'malformed' });
      }
      const select = parts.map((part) => `SELECT * FROM ${part}`).join('\nUNION ALL BY NAME\n');
      const dataset = await writeDataset(job, session, select, { at: 'batches', code: 'malformed' });
      return {
        dataset,
        artifacts: [],
        summary: { rows_in: request.inputs[0]?.dataset.rows ?? 0, rows: dataset.rows, batches: results.length },
      };
    } finally {
      await session.close();
    }
  });
}

function readerOf(key: string, path: string): string {
  if (key.endsWith('.parquet')) return `read_parquet(${literal(path)})`;
  return `read_json(${literal(path)}, format=${key.endsWith('.json') ? "'auto'" : "'newline_delimited'"})`;
}

function nothing(job: Job<unknown>): StageOutput {
  const dataset = mainInput(job);
  return { dataset, artifacts: [], summary: { rows_in: dataset.rows, rows: dataset.rows, batches: 0 } };
}
