/** The audit log: who did what to what, when, from where, and how it ended. */
import { type Insertable, type Selectable, sql } from 'kysely';
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
  /** `failed`: whatever is not `ok`. */
  outcome?: string | undefined;
  /** Inclusive. */
  from?: Date | undefined;
  /** Exclusive. */
  to?: Date | undefined;
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
  if (filter.outcome === 'failed') query = query.where('outcome', '<>', 'ok');
  else if (filter.outcome !== undefined) query = query.where('outcome', '=', filter.outcome);
  if (filter.from !== undefined) query = query.where('at', '>=', filter.from);
  if (filter.to !== undefined) query = query.where('at', '<', filter.to);
  return query.execute();
}

/**
 * Removes entries from before `before`, `batch` at a time, and leaves one that says how many and up to when; it is kept
 * true in the transaction of each batch. Resolves with the number.
 */
export async function pruneAudit(db: Db, before: Date, batch: number): Promise<number> {
  let note: string | null = null;
  let total = 0;
  for (let last = batch; last === batch; ) {
    await db.transaction().execute(async (trx) => {
      const gone = await sql`
        DELETE FROM audit_log WHERE audit_id IN
          (SELECT audit_id FROM audit_log WHERE at < ${before} ORDER BY at LIMIT ${batch})
      `.execute(trx);
      last = Number(gone.numAffectedRows ?? 0n);
      total += last;
      if (last > 0) note = await notePruned(trx, note, `${total} entries before ${before.toISOString()}`);
    });
  }
  return total;
}

async function notePruned(trx: Trx, note: string | null, resource: string): Promise<string> {
  if (note !== null) {
    await trx.updateTable('audit_log').set({ resource }).where('audit_id', '=', note).execute();
    return note;
  }
  const row = await trx
    .insertInto('audit_log')
    .values({ operation: 'audit.prune', resource, outcome: 'ok' })
    .returning('audit_id')
    .executeTakeFirstOrThrow();
  return row.audit_id;
}
