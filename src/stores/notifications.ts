/** Notifications as rows: what is to be told to whom, how often it was tried, and whether it arrived. */
import { type Insertable, type Selectable, sql } from 'kysely';
import { Failure } from '../schema/failures.ts';
import type { Tables } from '../schema/tables.ts';
import { decodeCursor, pageFrom } from './cursor.ts';
import type { Db, Trx } from './database.ts';
import { appendEvents } from './events.ts';
import type { Page } from './file-lists.ts';
import { findPipelineRun, ofGranted, type PageOf, type RunsOf } from './pipeline-runs.ts';

export type NotificationRow = Selectable<Tables['notifications']>;

/** Resolves with whether it is new: a repeat inserts nothing. */
export async function insertNotification(trx: Trx, row: Insertable<Tables['notifications']>): Promise<boolean> {
  const inserted = await trx
    .insertInto('notifications')
    .values(row)
    .onConflict((conflict) => conflict.column('notification_id').doNothing())
    .executeTakeFirst();
  return (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

export async function findNotification(db: Db | Trx, id: string): Promise<NotificationRow | undefined> {
  return db.selectFrom('notifications').selectAll().where('notification_id', '=', id).executeTakeFirst();
}

/** One more try, before it is made: what happens in it is written by `noteTry`. */
export async function noteTry(
  db: Db,
  id: string,
  outcome: { delivered: true } | { delivered: false; error: string; waitSeconds: number | null },
): Promise<void> {
  await db
    .updateTable('notifications')
    .set((eb) => ({
      attempts: eb('attempts', '+', 1),
      ...(outcome.delivered
        ? { status: 'delivered' as const, delivered_at: sql<Date>`now()`, next_attempt_at: null, last_error: null }
        : {
            last_error: outcome.error,
            next_attempt_at:
              outcome.waitSeconds === null
                ? null
                : sql<Date>`now() + make_interval(secs => ${outcome.waitSeconds}::double precision)`,
          }),
    }))
    .where('notification_id', '=', id)
    .where('status', '=', 'pending')
    .execute();
}

/** Given up, or cancelled with its workflow; told once. */
export async function giveUp(trx: Trx, id: string, status: 'undelivered' | 'cancelled'): Promise<boolean> {
  const row = await trx
    .updateTable('notifications')
    .set({ status, next_attempt_at: null })
    .where('notification_id', '=', id)
    .where('status', '=', 'pending')
    .returningAll()
    .executeTakeFirst();
  if (!row) return false;
  if (status === 'undelivered') {
    const run = row.run_id === null ? undefined : await findPipelineRun(trx, row.run_id);
    await appendEvents(trx, [
      {
        name: 'notification.undelivered',
        owner: row.owner,
        resource: row.run_id === null ? null : `run:${row.run_id}`,
        workflow_id: row.workflow_id,
        key: `${row.workflow_id}/undelivered`,
        data: {
          notification_id: id,
          kind: row.kind,
          target: row.target,
          event: row.event,
          run_id: row.run_id,
          pipeline_id: run?.pipeline_id ?? null,
          attempts: row.attempts,
          last_error: row.last_error,
        },
      },
    ]);
  }
  return true;
}

/** To be delivered anew under another workflow. Throws Failure('conflict') for one that is being delivered. */
export async function reopenNotification(trx: Trx, id: string, workflowId: string): Promise<NotificationRow> {
  const row = await trx
    .updateTable('notifications')
    .set({ status: 'pending', workflow_id: workflowId, attempts: 0, delivered_at: null, next_attempt_at: null })
    .where('notification_id', '=', id)
    .where('status', '<>', 'pending')
    .returningAll()
    .executeTakeFirst();
  if (row) return row;
  throw new Failure('conflict', `Notification ${id} is being delivered`);
}

/** Newest first; of runs that the caller was granted too. */
export async function listNotifications(
  db: Db,
  query: RunsOf & PageOf & { status?: NotificationRow['status'] | undefined; run_id?: string | undefined },
): Promise<Page<NotificationRow>> {
  const { owners, granted, status, run_id, limit } = query;
  const after = decodeCursor(query.cursor, 2);
  let rows = db.selectFrom('notifications').selectAll().select(sql<string>`created_at::text`.as('position'));
  if (owners !== null) rows = rows.where((eb) => eb.or([eb('owner', 'in', owners), ...ofGranted(granted)]));
  if (status) rows = rows.where('status', '=', status);
  if (run_id) rows = rows.where('run_id', '=', run_id);
  if (after) rows = rows.where(sql<boolean>`(created_at, notification_id) < (${after[0]}::timestamptz, ${after[1]})`);
  const found = await rows
    .orderBy('created_at', 'desc')
    .orderBy('notification_id', 'desc')
    .limit(limit + 1)
    .execute();
  return pageFrom(found, limit, (row) => [row.position, row.notification_id]);
}
