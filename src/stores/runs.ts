/** The read model of workflows: a row is inserted before its workflow starts and closed by the workflow itself. */
import { type Selectable, sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import type { Source, WorkflowType } from '../schema/names.ts';
import type { FailureRecord, RunStatus, Tables } from '../schema/tables.ts';
import type { Db, Trx } from './database.ts';

export type RunRow = Selectable<Tables['workflow_runs']>;

export interface NewRun {
  workflow_id: string;
  type: WorkflowType;
  room: string;
  owner: string;
  source: Source | null;
  /** `file:<id>`: what the workflow works on. */
  resource: string | null;
  input: JsonObject;
}

export async function insertRun(trx: Trx, run: NewRun): Promise<void> {
  await trx
    .insertInto('workflow_runs')
    .values({ ...run, input: JSON.stringify(run.input) })
    .execute();
}

/** Of these the ones that are kept still, in no order. */
export async function findRuns(db: Db | Trx, workflowIds: string[]): Promise<RunRow[]> {
  if (workflowIds.length === 0) return [];
  return db.selectFrom('workflow_runs').selectAll().where('workflow_id', 'in', workflowIds).execute();
}

export async function findRun(db: Db | Trx, workflowId: string): Promise<RunRow | undefined> {
  return db.selectFrom('workflow_runs').selectAll().where('workflow_id', '=', workflowId).executeTakeFirst();
}

/** The engine has it. A run that has closed meanwhile stays closed. */
export async function markRunStarted(db: Db | Trx, workflowId: string): Promise<void> {
  await db
    .updateTable('workflow_runs')
    .set({
      started_at: sql<Date>`coalesce(started_at, now())`,
      status: sql<RunStatus>`CASE WHEN status = 'pending' THEN 'running' ELSE status END`,
    })
    .where('workflow_id', '=', workflowId)
    .where('closed_at', 'is', null)
    .execute();
}

/** Closes a run once; the first word counts. Resolves with whether this was it. */
export async function closeRun(
  db: Db | Trx,
  workflowId: string,
  status: RunStatus,
  error: FailureRecord | null,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('workflow_runs')
    .set({
      status,
      error: JSON.stringify(error),
      closed_at: sql<Date>`now()`,
      started_at: sql<Date>`coalesce(started_at, now())`,
    })
    .where('workflow_id', '=', workflowId)
    .where('closed_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Ids of open runs admitted before `before`, oldest first: what the reconciler looks at. */
export async function openRunIds(db: Db, before: Date): Promise<string[]> {
  const rows = await db
    .selectFrom('workflow_runs')
    .select('workflow_id')
    .where('closed_at', 'is', null)
    .where('created_at', '<', before)
    .orderBy('created_at')
    .execute();
  return rows.map((row) => row.workflow_id);
}

/** Those of them that are open still. */
export async function openRunsOf(db: Db, ids: string[]): Promise<RunRow[]> {
  if (ids.length === 0) return [];
  return db
    .selectFrom('workflow_runs')
    .selectAll()
    .where('workflow_id', 'in', ids)
    .where('closed_at', 'is', null)
    .orderBy('created_at')
    .execute();
}
