/** Tries of stages and items as rows: begun, ended once, and kept when the next one begins. */
import { type Selectable, sql } from 'kysely';
import type { StageRef } from '../schema/pipeline-flow.ts';
import type { FailureRecord, Tables } from '../schema/tables.ts';
import { type Db, prepared, type Trx } from './database.ts';

export type TryRow = Selectable<Tables['pipeline_tries']>;

type Place = Pick<StageRef, 'run_id' | 'stage' | 'item'>;

/** A repeat of a try that was begun already changes nothing. */
export async function noteTryBegun(trx: Trx, ref: StageRef): Promise<void> {
  const { run_id, stage, item, attempt } = ref;
  await trx
    .insertInto('pipeline_tries')
    .values({ run_id, stage, item, run_attempt: attempt, try: ref.try })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Ends what is being tried of a stage or an item, if anything is. */
export async function noteTryEnded(
  trx: Trx,
  { run_id, stage, item }: Place,
  status: 'completed' | 'failed',
  error: FailureRecord | null,
): Promise<void> {
  await running(trx, run_id)
    .set({ status, error: JSON.stringify(error), ended_at: sql<Date>`now()` })
    .where('stage', '=', stage)
    .where('item', '=', item)
    .execute();
}

/** What was being tried when the run ended. */
export async function noteTriesCancelled(trx: Trx, runId: string): Promise<void> {
  await running(trx, runId).set({ status: 'cancelled', ended_at: sql<Date>`now()` }).execute();
}

function running(trx: Trx, runId: string) {
  return trx.updateTable('pipeline_tries').where('run_id', '=', runId).where('status', '=', 'running');
}

/** Its caller's rate limit put it off, once more. */
export async function notePutOff(db: Db | Trx, ref: StageRef): Promise<void> {
  await db
    .updateTable('pipeline_tries')
    .set((eb) => ({ put_off: eb('put_off', '+', 1) }))
    .where('run_id', '=', ref.run_id)
    .where('stage', '=', ref.stage)
    .where('item', '=', ref.item)
    .where('run_attempt', '=', ref.attempt)
    .where('try', '=', ref.try)
    .execute();
}

/** How often a try was put off so far. */
export async function putOffs(db: Db | Trx, ref: StageRef): Promise<number> {
  const row = await db
    .selectFrom('pipeline_tries')
    .select('put_off')
    .where('run_id', '=', ref.run_id)
    .where('stage', '=', ref.stage)
    .where('item', '=', ref.item)
    .where('run_attempt', '=', ref.attempt)
    .where('try', '=', ref.try)
    .executeTakeFirst();
  return row?.put_off ?? 0;
}

/** The last `most` of each stage or item that is asked for, oldest first. */
export async function triesOf(
  db: Db | Trx,
  runId: string,
  places: readonly { stage: number; item: number }[],
  most: number,
): Promise<TryRow[]> {
  if (places.length === 0) return [];
  const stages = places.map(({ stage }) => stage);
  const items = places.map(({ item }) => item);
  const { rows } = await sql<TryRow>`${prepared}
    SELECT run_id, tries.stage, tries.item, run_attempt, try, status, error, put_off, started_at, ended_at
    FROM unnest(${stages}::int[], ${items}::int[]) AS place (stage, item)
    CROSS JOIN LATERAL (
      SELECT * FROM pipeline_tries t WHERE t.run_id = ${runId} AND t.stage = place.stage AND t.item = place.item
      ORDER BY t.run_attempt DESC, t.try DESC LIMIT ${most}
    ) AS tries
    ORDER BY tries.stage, tries.item, tries.run_attempt, tries.try
  `.execute(db);
  return rows;
}
