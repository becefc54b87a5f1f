/** What the steps of a run read: its definition, what its stages may name in expressions, and the data that reaches them. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { Json, JsonObject } from '../../schema/json.ts';
import type { PipelineDefinition, StageDefinition } from '../../schema/pipelines.ts';
import type { DatasetRef, StageRequest } from '../../schema/stages/contract.ts';
import { readsItem } from '../../services/pipelines/expression-job.ts';
import type { Expressions } from '../../services/pipelines/expression-pool.ts';
import { invalid, type Scope } from '../../services/pipelines/expressions.ts';
import { needsOf } from '../../services/pipelines/graph.ts';
import { runPrefix } from '../../services/pipelines/remove.ts';
import type { Db, Trx } from '../../stores/database.ts';
import { findPipelineRun, type PipelineRunRow } from '../../stores/pipeline-runs.ts';
import { type StageRow, stagesOf } from '../../stores/pipeline-stages.ts';
import { findDefinition } from '../../stores/pipelines.ts';

/** What the steps of a run work with: expressions are evaluated within bounds of their own. */
export type PipelineDeps = Deps & { expressions: Expressions };

/** A run with everything that its expressions and inputs are made of. */
export interface RunData {
  run: PipelineRunRow;
  definition: PipelineDefinition;
  rows: StageRow[];
  needs: number[][];
  names: string[];
}

/** Throws Failure('not_found') when the run or its version is gone. */
export async function readRun(db: Db | Trx, runId: string): Promise<RunData> {
  const run = await findPipelineRun(db, runId);
  const definition = run && (await findDefinition(db, run));
  if (!run || !definition) throw new Failure('not_found', `Run ${runId} is gone`);
  const rows = await stagesOf(db, runId);
  return {
    run,
    definition,
    rows,
    needs: needsOf(definition.stages.length, definition.dependencies),
    names: definition.stages.map(({ name }) => name),
  };
}

export function stageOf({ definition }: RunData, stage: number): StageDefinition {
  const found = definition.stages[stage];
  if (!found) throw new Failure('not_found', `There is no stage ${stage}`);
  return found;
}

/** Index of the stage that `stage` compensates; -1 for one in the graph. */
export function compensatedBy({ definition }: RunData, stage: number): number {
  const name = definition.stages[stage]?.name;
  return definition.stages.findIndex(
    ({ on_failure }) => typeof on_failure === 'object' && on_failure.compensate === name,
  );
}

/** What expressions of a stage read. The check of the definition saw to it that they name only what is over by then. */
export function scopeOf(data: RunData, item?: { value: Json; index: number }): Scope {
  const stages: JsonObject = Object.fromEntries(data.rows.map((row) => [row.name, stageView(row)]));
  const { run } = data;
  return {
    input: run.input_data,
    parameters: run.parameters,
    stages,
    run: { id: run.run_id, pipeline_id: run.pipeline_id, version: run.version, attempt: run.attempt },
    ...(item ? { item: item.value, item_index: item.index } : {}),
  };
}

/** `output` holds the stage's summary, and beside it the rows, the dataset and the artifacts that it made. */
function stageView({ status, output, error, attempt }: StageRow): JsonObject {
  const dataset = output?.dataset ?? null;
  return {
    status,
    attempt,
    error: error && { code: error.code, detail: error.detail },
    output: output && {
      ...output.summary,
      ...(dataset ? { rows: dataset.rows } : {}),
      dataset: dataset && { ...dataset },
      artifacts: output.artifacts.map((artifact) => ({ ...artifact })),
    },
  };
}

/** Whether the stage is to run. Throws Failure('invalid_pipeline') for a condition that gives no yes or no. */
export async function conditionHolds(
  { expressions }: Pick<PipelineDeps, 'expressions'>,
  data: RunData,
  stage: number,
): Promise<boolean> {
  const { when } = stageOf(data, stage);
  if (when === undefined) return true;
  return named('when', async () => {
    const value = await expressions.give(
      { op: 'value', text: when, names: data.names, scope: scopeOf(data) },
      data.run.owner,
    );
    if (typeof value === 'boolean') return value;
    throw invalid(`gives ${JSON.stringify(value).slice(0, 100)}, not true or false`);
  });
}

/** The list of `for_each`; null without one. Throws Failure('invalid_pipeline') for none, or one over the limit. */
export async function itemsOfStage(
  { expressions }: Pick<PipelineDeps, 'expressions'>,
  data: RunData,
  stage: number,
): Promise<Json[] | null> {
  const { for_each } = stageOf(data, stage);
  if (for_each === undefined) return null;
  const { items, limit = 1_000 } = for_each;
  return named('for_each.items', async () => {
    const value =
      typeof items === 'string'
        ? await expressions.give({ op: 'value', text: items, names: data.names, scope: scopeOf(data) }, data.run.owner)
        : items;
    if (!Array.isArray(value)) throw invalid(`gives ${JSON.stringify(value).slice(0, 100)}, not a list`);
    if (value.length > limit) throw invalid(`gives ${value.length} items; at most ${limit} are allowed`);
    return value;
  });
}

/** The stage's `config` or `input` with every template replaced. */
export async function resolved(
  deps: Pick<PipelineDeps, 'expressions'>,
  data: RunData,
  { stage, item }: { stage: number; item: number },
  field: 'config' | 'input',
): Promise<JsonObject> {
  const value = (stageOf(data, stage)[field] ?? {}) as JsonObject;
  const { names } = data;
  const needsItem = await named(field, async () => item >= 0 && readsItem(value, names));
  const items = needsItem ? await itemsOfStage(deps, data, stage) : null;
  const scope = scopeOf(data, items ? { value: items[item] ?? null, index: item } : undefined);
  return named(
    field,
    async () => (await deps.expressions.give({ op: 'templates', value, names, scope }, data.run.owner)) as JsonObject,
  );
}

async function named<T>(field: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.code, `${field}: ${error.message}`);
  }
}

/**
 * The tables that reach a stage: of each stage it needs, in the order of the dependencies. One that made no table, was
 * skipped, or failed and was forgiven, passes on what had reached itself. A compensating stage gets what reached the
 * stage that it compensates.
 */
export function inputsOf(data: RunData, stage: number): StageRequest['inputs'] {
  const compensated = compensatedBy(data, stage);
  const found = new Map<string, DatasetRef>();
  const seen = new Set<number>();
  const collect = (of: number): void => {
    for (const need of data.needs[of] ?? []) {
      if (seen.has(need)) continue;
      seen.add(need);
      const row = data.rows[need];
      const dataset = row?.status === 'completed' ? (row.output?.dataset ?? null) : null;
      if (row && dataset) found.set(row.name, dataset);
      else collect(need);
    }
  };
  collect(compensated >= 0 ? compensated : stage);
  return [...found].map(([name, dataset]) => ({ name, dataset }));
}

/** Where a stage or an item puts its objects: the same on every try, so that a repeat overwrites what it repeats. */
export function prefixOf(run: { run_id: string }, stage: number, item: number): string {
  return item < 0 ? `${runPrefix(run.run_id)}${stage}/` : `${runPrefix(run.run_id)}${stage}/${item}/`;
}
