/** Pages of tasks, newest first, each with its place in the queue where it waits. */
import { sql } from 'kysely';
import type { TaskStatus, TaskType } from '../schema/names.ts';
import { decodeCursor, pageFrom } from './cursor.ts';
import type { Db } from './database.ts';
import type { Page } from './file-lists.ts';
import { placesOf } from './task-order.ts';
import type { TaskRow } from './tasks.ts';

export interface TaskListQuery {
  /** Null: every owner's. */
  owners: string[] | null;
  /** Ids of tasks that the caller was granted one by one. */
  granted: string[];
  status?: TaskStatus | undefined;
  type?: TaskType | undefined;
  pipeline_id?: string | undefined;
  agent?: string | undefined;
  owner?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}

export type ListedTask = TaskRow & { place: number | null };

export async function listTasks(db: Db, query: TaskListQuery): Promise<Page<ListedTask>> {
  const { owners, granted } = query;
  let rows = db.selectFrom('tasks').selectAll().select(sql<string>`created_at::text`.as('position'));
  if (owners !== null) {
    rows = rows.where((eb) =>
      eb.or([eb('owner', 'in', owners), ...(granted.length > 0 ? [eb('task_id', 'in', granted)] : [])]),
    );
  }
  if (query.status) rows = rows.where('status', '=', query.status);
  if (query.type) rows = rows.where('type', '=', query.type);
  if (query.pipeline_id !== undefined) rows = rows.where('pipeline_id', '=', query.pipeline_id);
  if (query.agent !== undefined) rows = rows.where('assigned_agent', '=', query.agent);
  if (query.owner !== undefined) rows = rows.where('owner', '=', query.owner);
  const after = decodeCursor(query.cursor, 2);
  if (after) rows = rows.where(sql<boolean>`(created_at, task_id) < (${after[0]}::timestamptz, ${after[1]})`);
  const found = await rows
    .orderBy('created_at', 'desc')
    .orderBy('task_id', 'desc')
    .limit(query.limit + 1)
    .execute();
  const page = pageFrom(found, query.limit, (row) => [row.position, row.task_id]);
  const places = await placesOf(
    db,
    page.items.flatMap((row) => (row.phase === 'queued' ? [row.task_id] : [])),
  );
  return { ...page, items: page.items.map((row) => ({ ...row, place: places.get(row.task_id) ?? null })) };
}
