/** Stages of runs and the items of their `for_each`, as rows. Status moves forward; a new attempt begins it anew. */
import { type Selectable, sql } from 'kysely';
import type { StageStatus } from '../schema/names.ts';
import type { StageRef } from '../schema/pipeline-flow.ts';
import type { StageDefinition } from '../schema/pipelines.ts';
import type { StageOutput } from '../schema/stages/contract.ts';
import type { FailureRecord, Tables } from '../schema/tables.ts';
import type { Db, Trx } from './database.ts';
import { noteTriesCancelled, noteTryBegun, noteTryEnded } from './pipeline-tries.ts';

export type StageRow = Selectable<Tables['pipeline_stages']>;

export const OVER: readonly StageStatus[] = ['completed', 'failed', 'skipped', 'compensated', 'cancelled'];
/** Why a compensating stage that nobody needed is over from the start. */
export const NOT_NEEDED = 'runs only when the stage that it compensates fails';

export async function insertStages(
  trx: Trx,
  run: { run_id: string; stages: readonly StageDefinition[]; compensating: ReadonlySet<number> },
): Promise<void> {
  const rows = run.stages.map(({ name, type }, stage) => ({
    run_id: run.run_id,
    stage,
    name,
    type,
    ...(run.compensating.has(stage) ? { status: 'skipped' as const, reason: NOT_NEEDED } : {}),
  }));
  await trx.insertInto('pipeline_stages').values(rows).execute();
}

/** The stages themselves, without items, in order. */
export async function stagesOf(db: Db | Trx, runId: string): Promise<StageRow[]> {
  return db
    .selectFrom('pipeline_stages')
    .selectAll()
    .where('run_id', '=', runId)
    .where('item', '=', -1)
    .orderBy('stage')
    .execute();
}

/** One stage (item -1), or one item of it. */
export async function findStage(
  db: Db | Trx,
  { run_id, stage, item }: Pick<StageRef, 'run_id' | 'stage' | 'item'>,
): Promise<StageRow | undefined> {
  return db
    .selectFrom('pipeline_stages')
    .selectAll()
    .where('run_id', '=', run_id)
    .where('stage', '=', stage)
    .where('item', '=', item)
    .executeTakeFirst();
}

/** The items of one stage, in order. */
export async function itemsOf(db: Db | Trx, runId: string, stage: number): Promise<StageRow[]> {
  return db
    .selectFrom('pipeline_stages')
    .selectAll()
    .where('run_id', '=', runId)
    .where('stage', '=', stage)
    .where('item', '>=', 0)
    .orderBy('item')
    .execute();
}

/** How the items of all stages stand, without what they made. */
export async function itemStates(
  db: Db | Trx,
  runId: string,
): Promise<Pick<StageRow, 'stage' | 'item' | 'status' | 'attempt' | 'error'>[]> {
  return db
    .selectFrom('pipeline_stages')
    .select(['stage', 'item', 'status', 'attempt', 'error'])
    .where('run_id', '=', runId)
    .where('item', '>=', 0)
    .orderBy('stage')
    .orderBy('item')
    .execute();
}

/** How many items a stage has, and how many of them are over. */
export async function countItems(trx: Trx, runId: string, stage: number): Promise<{ total: number; over: number }> {
  const row = await trx
    .selectFrom('pipeline_stages')
    .select((eb) => [
      eb.fn.countAll<string>().as('total'),
      eb.fn.countAll<string>().filterWhere('status', 'in', OVER).as('over'),
    ])
    .where('run_id', '=', runId)
    .where('stage', '=', stage)
    .where('item', '>=', 0)
    .executeTakeFirstOrThrow();
  return { total: Number(row.total), over: Number(row.over) };
}

/** Rows for items 0 to `count` - 1, where they are missing. */
export async function insertItems(
  trx: Trx,
  of: { run_id: string; stage: number; name: string; type: StageRow['type']; count: number },
): Promise<void> {
  await sql`
    INSERT INTO pipeline_stages (run_id, stage, item, name, type)
    SELECT ${of.run_id}, ${of.stage}, item, ${of.name}, ${of.type} FROM generate_series(0, ${of.count}::int - 1) item
    ON CONFLICT DO NOTHING
  `.execute(trx);
}

/** As if the stage had never had any. */
export async function removeItems(trx: Trx, runId: string, stage: number): Promise<void> {
  await trx
    .deleteFrom('pipeline_stages')
    .where('run_id', '=', runId)
    .where('stage', '=', stage)
    .where('item', '>=', 0)
    .execute();
}

type Place = Pick<StageRef, 'run_id' | 'stage' | 'item'>;

/** Begins a try, unless the stage is over; resolves with whether it did. */
export async function beginTry(trx: Trx, ref: StageRef, taskId: string | null = null): Promise<boolean> {
  const changed = await at(trx, ref)
    .set({
      status: 'running',
      attempt: ref.try,
      reason: null,
      error: 'null',
      task_id: sql<string | null>`coalesce(${taskId}, task_id)`,
      started_at: sql<Date>`coalesce(started_at, now())`,
    })
    .where('status', 'not in', OVER)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  await noteTryBegun(trx, ref);
  return true;
}

/**
 * A stage with items runs from the first of them on, and was tried as often as the one of them that was tried most.
 * Resolves with whether that changed it.
 */
export async function beginItems(trx: Trx, ref: Pick<StageRef, 'run_id' | 'stage' | 'try'>): Promise<boolean> {
  const changed = await at(trx, { ...ref, item: -1 })
    .set({
      status: 'running',
      attempt: sql<number>`greatest(attempt, ${ref.try}::int)`,
      reason: null,
      error: 'null',
      started_at: sql<Date>`coalesce(started_at, now())`,
    })
    .where('status', 'not in', OVER)
    .where((eb) => eb.or([eb('status', '<>', 'running'), eb('attempt', '<', ref.try)]))
    .executeTakeFirst();
  return changed.numUpdatedRows > 0n;
}

/** Only grows within a try, and only while it runs; resolves with whether it changed. */
export async function moveProgress(trx: Trx, ref: StageRef, progress: number): Promise<boolean> {
  const changed = await at(trx, ref)
    .set({ progress })
    .where('status', '=', 'running')
    .where('attempt', '=', ref.try)
    .where('progress', '<', progress)
    .executeTakeFirst();
  return changed.numUpdatedRows > 0n;
}

/** The end of a stage that went well, once; resolves with whether this was it. */
export async function completeStage(trx: Trx, ref: Place, output: StageOutput): Promise<boolean> {
  const changed = await at(trx, ref)
    .set({
      status: 'completed',
      output: JSON.stringify(output),
      error: 'null',
      reason: null,
      progress: 1,
      started_at: sql<Date>`coalesce(started_at, now())`,
      ended_at: sql<Date>`now()`,
    })
    .where('status', 'not in', OVER)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  await noteTryEnded(trx, ref, 'completed', null);
  return true;
}

/** Any other change of status; a stage that is over only turns from failed to compensated. */
export async function setStage(
  trx: Trx,
  ref: Place,
  change: { status: StageStatus; reason: string | null; error: FailureRecord | null },
): Promise<boolean> {
  const over = OVER.includes(change.status);
  const from: StageStatus[] = change.status === 'compensated' ? ['failed'] : [];
  const changed = await at(trx, ref)
    .set({
      status: change.status,
      reason: change.reason,
      error: JSON.stringify(change.error),
      ...(over ? { ended_at: sql<Date>`now()` } : {}),
    })
    .where((eb) => eb.or([eb('status', 'not in', OVER), ...(from.length > 0 ? [eb('status', 'in', from)] : [])]))
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  const { status, error } = change;
  if (status === 'failed' || status === 'retrying') await noteTryEnded(trx, ref, 'failed', error);
  return true;
}

/** Back to the beginning, whatever it was: for a retry, and for a compensating stage that is needed after all. */
export async function resetStages(trx: Trx, runId: string, stages: number[]): Promise<void> {
  if (stages.length === 0) return;
  await trx
    .updateTable('pipeline_stages')
    .set({
      status: 'pending',
      attempt: 0,
      progress: 0,
      reason: null,
      error: 'null',
      output: 'null',
      started_at: null,
      ended_at: null,
    })
    .where('run_id', '=', runId)
    .where('stage', 'in', stages)
    // Items that are done stay done: only what is missing is done again.
    .where((eb) => eb.or([eb('item', '=', -1), eb('status', '<>', 'completed')]))
    .execute();
}

/** What never began, or was stopped, when the run ended. */
export async function cancelOpenStages(trx: Trx, runId: string, reason: string): Promise<void> {
  await trx
    .updateTable('pipeline_stages')
    .set({ status: 'cancelled', reason, ended_at: sql<Date>`now()` })
    .where('run_id', '=', runId)
    .where('status', 'not in', OVER)
    .execute();
  await noteTriesCancelled(trx, runId);
}

function at(trx: Trx, { run_id, stage, item }: Place) {
  return trx
    .updateTable('pipeline_stages')
    .where('run_id', '=', run_id)
    .where('stage', '=', stage)
    .where('item', '=', item);
}
