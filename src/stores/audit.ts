/** The audit log: who did what to what, when, from where, and how it ended. */
import type { Insertable } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Db, Trx } from './database.ts';

export async function writeAudit(db: Db | Trx, entry: Insertable<Tables['audit_log']>): Promise<void> {
  await db.insertInto('audit_log').values(entry).execute();
}
