/** `processing` by agents: rows go out as one object a batch, each is a task, and what was answered is put together again. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { JsonObject } from '../../schema/json.ts';
import type { RunRef, SplitStage, StageRef } from '../../schema/pipeline-flow.ts';
import type { StageOutput, StageRequest } from '../../schema/stages/contract.ts';
import { ProcessingConfig } from '../../schema/stages/processing.ts';
import type { NewTask } from '../../services/tasks/submit.ts';
import { lockRun } from '../../stores/pipeline-runs.ts';
import { beginItems, itemsOf } from '../../stores/pipeline-stages.ts';
import { mergeBatches, splitBatches } from '../stages/batches.ts';
import type { StageEngines } from '../stages/runner.ts';
import { inputsOf, type PipelineDeps, prefixOf, type RunData, readRun, resolved, stageOf } from './run-data.ts';
import { requestOf, timeoutOf } from './run-stage.ts';
import { itemsOutput } from './settle.ts';
import { begin, end, guarded } from './try.ts';

/** Each is a task of its own. */
const MAX_BATCHES = 1_000;
/** A batch this small goes along with its task; of a larger one the task names the object. */
const MAX_INLINE_BYTES = 160 * 1024;
const WORKERS = 4;

/** The beginning of a try: the rows that reach the stage as objects. The same rows lead to the same objects. */
export async function splitStage(deps: PipelineDeps, engines: StageEngines, ref: StageRef): Promise<SplitStage> {
  const data = await readRun(deps.db, ref.run_id);
  await begin(deps, ref);
  return guarded(deps, ref, timeoutOf(deps, data, ref.stage), async ({ signal, progress }) => {
    const request = await requestOf(deps, data, ref);
    const batches = await splitBatches(deps, engines, request, { signal, progress: (share) => progress(share / 10) });
    if (batches.length > MAX_BATCHES) {
      throw new Failure(
        'invalid_input',
        `${batches.length} batches; agents get ${MAX_BATCHES} at most: raise batch_size`,
      );
    }
    const { parallel_workers = data.run.parameters.parallel_workers } = await configOf(deps, data, ref);
    const workers =
      typeof parallel_workers === 'number' && parallel_workers >= 1 ? Math.floor(parallel_workers) : WORKERS;
    return { batches: batches.length, workers: Math.min(64, workers) };
  });
}

/** The end of a try: all answers as one table, in the order of the batches. */
export async function mergeStage(
  deps: PipelineDeps,
  engines: StageEngines,
  input: StageRef & { batches: number },
): Promise<void> {
  const { batches, ...ref } = input;
  const data = await readRun(deps.db, ref.run_id);
  const output = await guarded(deps, ref, timeoutOf(deps, data, ref.stage), async ({ signal }) => {
    const request = await requestOf(deps, data, ref);
    const results: { key: string }[] = [];
    for (let batch = 0; batch < batches; batch += 1) {
      const key = answerKey(request.prefix, batch);
      // A batch may well come back without a row.
      if (((await deps.objects.stat(key))?.size ?? 0) > 0) results.push({ key });
    }
    if (results.length === 0) return { dataset: null, artifacts: [], summary: { rows: 0, batches } };
    const merged = await mergeBatches(deps, engines, request, results, { signal, progress: () => {} });
    return { ...merged, summary: { ...merged.summary, batches } };
  });
  await end(deps, ref, output);
}

/** The tables of all items as one, in their order; columns meet by name. */
export async function mergeItems(deps: Deps, engines: StageEngines, input: RunRef & { stage: number }): Promise<void> {
  const ref = { ...input, item: -1, try: 1 };
  const data = await readRun(deps.db, ref.run_id);
  // Where all items were done by an earlier attempt of the run, this is the first that is done of the stage.
  await deps.db.transaction().execute(async (trx) => {
    await lockRun(trx, ref);
    await beginItems(trx, ref);
  });
  const items = await itemsOf(deps.db, ref.run_id, ref.stage);
  const results = items.flatMap(({ output }) => (output?.dataset ? [{ key: output.dataset.key }] : []));
  const seconds = timeoutOf(deps, data, ref.stage);
  const output = await guarded(deps, ref, seconds, async ({ signal }): Promise<StageOutput> => {
    const request: StageRequest = {
      type: 'processing',
      config: {},
      inputs: inputsOf(data, ref.stage),
      input_data: null,
      parameters: {},
      prefix: prefixOf(data.run, ref.stage, -1),
      owner: data.run.owner,
      all_owners: false,
      timeout_seconds: seconds,
    };
    const { dataset } = await mergeBatches(deps, engines, request, results, { signal, progress: () => {} });
    return itemsOutput(items, dataset);
  });
  await end(deps, ref, output);
}

/** What the task of one batch carries. */
export async function batchTask(deps: PipelineDeps, data: RunData, ref: StageRef, batch: number): Promise<NewTask> {
  const config = await configOf(deps, data, ref);
  const { payload, format = 'ndjson', timeout, retry_count = 3, capabilities } = config.agent ?? {};
  const limit = timeoutOf(deps, data, ref.stage);
  const stage = stageOf(data, ref.stage);
  const key = `${prefixOf(data.run, ref.stage, ref.item)}batches/${padded(batch)}.${format}`;
  const rows = format === 'ndjson' ? await smallRows(deps, key) : null;
  return {
    owner: data.run.owner,
    type: 'processing',
    payload: {
      ...payload,
      stage: stage.name,
      batch: { index: batch, key, format, ...(rows ? { rows } : {}) },
      parameters: data.run.parameters,
    },
    timeout_seconds: Math.min(timeout ?? limit, limit),
    retry_count,
    executor: 'agent',
    capabilities: capabilities ?? stage.capabilities ?? [],
  };
}

async function configOf(deps: PipelineDeps, data: RunData, ref: StageRef): Promise<ProcessingConfig> {
  const parsed = ProcessingConfig.safeParse(await resolved(deps, data, ref, 'config'));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Failure('invalid_pipeline', `config.${issue?.path.join('.')}: ${issue?.message}`);
}

async function smallRows(deps: Deps, key: string): Promise<JsonObject[] | null> {
  const stat = await deps.objects.stat(key);
  if (!stat || stat.size > MAX_INLINE_BYTES) return null;
  const parts: Buffer[] = [];
  for await (const part of await deps.objects.get(key)) parts.push(part);
  const lines = Buffer.concat(parts).toString().split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as JsonObject);
}

export async function hasAnswer(deps: Deps, ref: StageRef, batch: number): Promise<boolean> {
  return (await deps.objects.stat(answerKey(prefixOf(ref, ref.stage, ref.item), batch))) !== null;
}

/** Rows that an agent answered with, as an object; null when all is well, else what is wrong with the answer. */
export async function keepAnswer(
  deps: Deps,
  prefix: string,
  batch: number,
  result: JsonObject,
): Promise<string | null> {
  const { rows } = result;
  const isRow = (row: unknown) => typeof row === 'object' && row !== null && !Array.isArray(row);
  if (!Array.isArray(rows) || !rows.every(isRow)) {
    return `The answer to batch ${batch} holds no list of objects under \`rows\``;
  }
  await deps.objects.put(answerKey(prefix, batch), Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join('')));
  return null;
}

function answerKey(prefix: string, batch: number): string {
  return `${prefix}answers/${padded(batch)}.ndjson`;
}

const padded = (batch: number) => String(batch).padStart(5, '0');
