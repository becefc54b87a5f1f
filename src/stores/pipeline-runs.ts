/** Runs of pipelines as rows: admitted, steered, ended. Their stages are in `pipeline-stages.ts`. */
import { type Insertable, type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely';
import { Failure } from '../schema/failures.ts';
import type { PipelineRunStatus } from '../schema/names.ts';
import type { RunRef } from '../schema/pipeline-flow.ts';
import type { Tables } from '../schema/tables.ts';
import { decodeCursor, pageFrom } from './cursor.ts';
import type { Db, Trx } from './database.ts';
import type { Page } from './file-lists.ts';

export type PipelineRunRow = Selectable<Tables['pipeline_runs']>;

export const LIVE_RUNS: PipelineRunStatus[] = ['pending', 'running', 'paused'];

export async function insertPipelineRun(trx: Trx, run: Insertable<Tables['pipeline_runs']>): Promise<void> {
  await trx.insertInto('pipeline_runs').values(run).execute();
}

export async function findPipelineRun(db: Db | Trx, runId: string): Promise<PipelineRunRow | undefined> {
  return db.selectFrom('pipeline_runs').selectAll().where('run_id', '=', runId).executeTakeFirst();
}

/** By its workflow: what an MCP task or the reconciler knows. */
export async function findRunOfWorkflow(db: Db | Trx, workflowId: string): Promise<PipelineRunRow | undefined> {
  return db.selectFrom('pipeline_runs').selectAll().where('workflow_id', '=', workflowId).executeTakeFirst();
}

/**
 * The run for a step of this attempt, locked: what changes it and its stages waits. Throws Failure('conflict') for a
 * step of an attempt that is over: it changes nothing.
 */
export async function lockRun(trx: Trx, ref: RunRef): Promise<PipelineRunRow> {
  const row = await trx
    .selectFrom('pipeline_runs')
    .selectAll()
    .where('run_id', '=', ref.run_id)
    .forUpdate()
    .executeTakeFirst();
  if (!row) throw new Failure('not_found', `Run ${ref.run_id} is gone`);
  if (row.attempt !== ref.attempt) {
    throw new Failure('conflict', `Run ${ref.run_id} is at attempt ${row.attempt}, not ${ref.attempt}`);
  }
  return row;
}

/** Also of a run that is over: reads only. */
export async function patchRun(
  trx: Trx,
  runId: string,
  patch: Partial<{
    status: PipelineRunStatus;
    error: string;
    started_at: Date;
    completed_at: Date;
  }>,
): Promise<void> {
  await trx
    .updateTable('pipeline_runs')
    .set({ ...patch, updated_at: sql<Date>`now()` })
    .where('run_id', '=', runId)
    .execute();
}

/** What a caller was granted that opens runs: one, all of a pipeline, or the one that a workflow makes. */
export interface RunGrants {
  runs: string[];
  pipelines: string[];
  workflows: string[];
}

/** Whose runs, and what belongs to them, are listed. */
export interface RunsOf {
  /** Null: every owner's. */
  owners: string[] | null;
  granted: RunGrants;
}

export interface PageOf {
  limit: number;
  cursor?: string | undefined;
}

export interface RunListQuery extends RunsOf, PageOf {
  pipeline_id?: string | undefined;
  status?: PipelineRunStatus | undefined;
}

/**
 * Whether the row's `run_id` names a run that was granted. No condition without a grant: one that never holds would
 * still keep Postgres from reading in the owner's order. The ids are an array: a subquery in an OR means that every row is read.
 */
export function ofGranted({ runs, pipelines, workflows }: RunGrants): RawBuilder<SqlBool>[] {
  if (runs.length + pipelines.length + workflows.length === 0) return [];
  return [
    sql<SqlBool>`run_id = ANY(ARRAY(SELECT run_id FROM pipeline_runs WHERE run_id = ANY(${runs}::text[])
      OR pipeline_id = ANY(${pipelines}::text[]) OR workflow_id = ANY(${workflows}::text[])))`,
  ];
}

/** Newest first. */
export async function listPipelineRuns(db: Db, query: RunListQuery): Promise<Page<PipelineRunRow>> {
  const { owners, granted, limit, pipeline_id, status } = query;
  const after = decodeCursor(query.cursor, 2);
  let rows = db.selectFrom('pipeline_runs').selectAll().select(sql<string>`created_at::text`.as('position'));
  if (owners !== null) rows = rows.where((eb) => eb.or([eb('owner', 'in', owners), ...ofGranted(granted)]));
  if (pipeline_id) rows = rows.where('pipeline_id', '=', pipeline_id);
  if (status) rows = rows.where('status', '=', status);
  if (after) rows = rows.where(sql<boolean>`(created_at, run_id) < (${after[0]}::timestamptz, ${after[1]})`);
  const found = await rows
    .orderBy('created_at', 'desc')
    .orderBy('run_id', 'desc')
    .limit(limit + 1)
    .execute();
  return pageFrom(found, limit, (row) => [row.position, row.run_id]);
}

/** Runs that ended before `before`, oldest first: what retention removes. */
export async function runsEndedBefore(db: Db, before: Date, limit: number): Promise<PipelineRunRow[]> {
  return db
    .selectFrom('pipeline_runs')
    .selectAll()
    .where('status', 'not in', LIVE_RUNS)
    .where('completed_at', '<', before)
    .orderBy('completed_at')
    .limit(limit)
    .execute();
}

/** With its stages and approvals. One that was taken up again meanwhile stays. */
export async function removeRun(db: Db | Trx, runId: string): Promise<void> {
  await db.deleteFrom('pipeline_runs').where('run_id', '=', runId).where('status', 'not in', LIVE_RUNS).execute();
}
