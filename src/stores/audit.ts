/** The audit log: who did what to what, when, from where, and how it ended. */
import type { Insertable, Selectable } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Db, Trx } from './database.ts';

export type AuditRow = Selectable<Tables['audit_log']>;

export async function writeAudit(db: Db | Trx, entry: Insertable<Tables['audit_log']>): Promise<void> {
  await db.insertInto('audit_log').values(entry).execute();
}

export interface AuditFilter {
  principal_id?: string | undefined;
  operation?: string | undefined;
  resource?: string | undefined;
  /** Entries older than this one. */
  before?: string | undefined;
  limit: number;
}

/** Newest first. `audit_id` is a string, because it is a bigint. */
export async function listAudit(db: Db, filter: AuditFilter): Promise<AuditRow[]> {
  let query = db.selectFrom('audit_log').selectAll().orderBy('audit_id', 'desc').limit(filter.limit);
  if (filter.before !== undefined) query = query.where('audit_id', '<', filter.before);
  if (filter.principal_id !== undefined) query = query.where('principal_id', '=', filter.principal_id);
  if (filter.operation !== undefined) query = query.where('operation', '=', filter.operation);
  if (filter.resource !== undefined) query = query.where('resource', '=', filter.resource);
  return query.execute();
}
