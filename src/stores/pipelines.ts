/** Pipelines and their versions as rows. A version never changes; a deleted pipeline keeps its versions for its runs. */
import { type Selectable, sql } from 'kysely';
import { Failure } from '../schema/failures.ts';
import type { PipelineDefinition } from '../schema/pipelines.ts';
import type { Tables } from '../schema/tables.ts';
import { decodeCursor, pageFrom } from './cursor.ts';
import type { Db, Trx } from './database.ts';
import type { Page } from './file-lists.ts';

export type PipelineRow = Selectable<Tables['pipelines']>;

export async function insertPipeline(
  trx: Trx,
  pipeline: { pipeline_id: string; owner: string; definition: PipelineDefinition },
): Promise<void> {
  const { pipeline_id, owner, definition } = pipeline;
  const { name, description } = definition;
  await trx.insertInto('pipelines').values({ pipeline_id, owner, name, description }).execute();
  await insertVersion(trx, { pipeline_id, version: 1, definition, created_by: owner });
}

/** Adds a version on top of the newest; resolves with its number. Throws Failure('not_found') for a deleted pipeline. */
export async function addVersion(
  trx: Trx,
  change: { pipeline_id: string; definition: PipelineDefinition; created_by: string },
): Promise<number> {
  const { pipeline_id, definition, created_by } = change;
  const row = await trx
    .updateTable('pipelines')
    .set((eb) => ({
      version: eb('version', '+', 1),
      name: definition.name,
      description: definition.description,
      updated_at: eb.fn<Date>('now'),
    }))
    .where('pipeline_id', '=', pipeline_id)
    .where('deleted_at', 'is', null)
    .returning('version')
    .executeTakeFirst();
  if (!row) throw new Failure('not_found', `No pipeline ${pipeline_id}`);
  await insertVersion(trx, { pipeline_id, version: row.version, definition, created_by });
  return row.version;
}

async function insertVersion(
  trx: Trx,
  version: { pipeline_id: string; version: number; definition: PipelineDefinition; created_by: string },
): Promise<void> {
  await trx
    .insertInto('pipeline_versions')
    .values({ ...version, definition: JSON.stringify(version.definition) })
    .execute();
}

/** Deleted ones are not found. */
export async function findPipeline(db: Db | Trx, pipelineId: string): Promise<PipelineRow | undefined> {
  return db
    .selectFrom('pipelines')
    .selectAll()
    .where('pipeline_id', '=', pipelineId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
}

export async function findDefinition(
  db: Db | Trx,
  of: { pipeline_id: string; version: number },
): Promise<PipelineDefinition | undefined> {
  const row = await db
    .selectFrom('pipeline_versions')
    .select('definition')
    .where('pipeline_id', '=', of.pipeline_id)
    .where('version', '=', of.version)
    .executeTakeFirst();
  return row?.definition as PipelineDefinition | undefined;
}

export interface OwnedListQuery {
  /** Null: every owner's. */
  owners: string[] | null;
  /** Ids that the caller was granted one by one. */
  granted: string[];
  limit: number;
  cursor?: string | undefined;
}

/** Newest first. */
export async function listPipelines(
  db: Db,
  query: OwnedListQuery & { name?: string | undefined },
): Promise<Page<PipelineRow>> {
  const { owners, granted, limit, name } = query;
  const after = decodeCursor(query.cursor, 2);
  let rows = db
    .selectFrom('pipelines')
    .selectAll()
    .select(sql<string>`created_at::text`.as('position'))
    .where('deleted_at', 'is', null);
  if (owners !== null) {
    rows = rows.where((eb) =>
      eb.or([eb('owner', 'in', owners), ...(granted.length > 0 ? [eb('pipeline_id', 'in', granted)] : [])]),
    );
  }
  if (name !== undefined) rows = rows.where('name', '=', name);
  if (after) rows = rows.where(sql<boolean>`(created_at, pipeline_id) < (${after[0]}::timestamptz, ${after[1]})`);
  const found = await rows
    .orderBy('created_at', 'desc')
    .orderBy('pipeline_id', 'desc')
    .limit(limit + 1)
    .execute();
  return pageFrom(found, limit, (row) => [row.position, row.pipeline_id]);
}

/** Hides a pipeline without live runs. Throws Failure('conflict') while one runs, Failure('not_found') when it is gone. */
export async function deletePipeline(trx: Trx, pipelineId: string): Promise<void> {
  const hidden = await trx
    .updateTable('pipelines')
    .set((eb) => ({ deleted_at: eb.fn<Date>('now') }))
    .where('pipeline_id', '=', pipelineId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  if (hidden.numUpdatedRows === 0n) throw new Failure('not_found', `No pipeline ${pipelineId}`);
  // After the row is locked: an execution locks it too before it inserts its run.
  const live = await trx
    .selectFrom('pipeline_runs')
    .select('run_id')
    .where('pipeline_id', '=', pipelineId)
    .where('status', 'in', ['pending', 'running', 'paused'])
    .limit(1)
    .executeTakeFirst();
  if (live) throw new Failure('conflict', `Pipeline ${pipelineId} has a live run, ${live.run_id}: cancel it first`);
}

/** Holds the pipeline while a run of it is admitted; undefined when it is deleted. */
export async function lockPipeline(trx: Trx, pipelineId: string): Promise<PipelineRow | undefined> {
  return trx
    .selectFrom('pipelines')
    .selectAll()
    .where('pipeline_id', '=', pipelineId)
    .where('deleted_at', 'is', null)
    .forShare()
    .executeTakeFirst();
}
