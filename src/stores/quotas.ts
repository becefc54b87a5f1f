/** Quotas by caller and UTC day: taken in the transaction of what they are for, so that what is rolled back is given back. */
import { sql } from 'kysely';
import { Failure } from '../schema/failures.ts';
import { type Db, prepared, type Trx } from './database.ts';

export type QuotaKind = 'tasks';

const DAY_MS = 86_400_000;

/** The UTC day of a moment, and when it ends. */
export function quotaDay(at: Date): { day: string; endsAt: Date } {
  const day = at.toISOString().slice(0, 10);
  return { day, endsAt: new Date(Date.parse(`${day}T00:00:00.000Z`) + DAY_MS) };
}

/**
 * Takes `amount` (1 unless told) of the day's quota, all of it or nothing. `limit` 0 means no limit and writes nothing.
 * Throws Failure('quota_exceeded') with the seconds until the next UTC day.
 *
 * Submissions of one caller wait for one another from here to their commit: call it late in the transaction. Rows that
 * tell of an event are serialised at their commit anyway, because NOTIFY is.
 */
export async function takeQuota(
  trx: Trx,
  take: { principal_id: string; kind: QuotaKind; limit: number; at: Date; amount?: number },
): Promise<void> {
  const { principal_id, kind, limit, at, amount = 1 } = take;
  if (limit === 0) return;
  const { day, endsAt } = quotaDay(at);
  const taken = await sql`${prepared}
    INSERT INTO quotas (principal_id, kind, day, used)
    SELECT ${principal_id}, ${kind}, ${day}::date, ${amount}::bigint WHERE ${amount}::bigint <= ${limit}::bigint
    ON CONFLICT (principal_id, kind, day) DO UPDATE SET used = quotas.used + excluded.used
      WHERE quotas.used + excluded.used <= ${limit}::bigint
    RETURNING used
  `.execute(trx);
  if (taken.rows.length > 0) return;
  throw new Failure('quota_exceeded', `${limit} ${kind} a day are allowed; the day ends at ${endsAt.toISOString()}`, {
    retryAfterSeconds: Math.max(1, Math.ceil((endsAt.getTime() - at.getTime()) / 1000)),
  });
}

/** What a caller has used of the day that `at` lies in. */
export async function readQuota(db: Db, of: { principal_id: string; kind: QuotaKind; at: Date }): Promise<number> {
  const row = await db
    .selectFrom('quotas')
    .select('used')
    .where('principal_id', '=', of.principal_id)
    .where('kind', '=', of.kind)
    .where('day', '=', sql<Date>`${quotaDay(of.at).day}::date`)
    .executeTakeFirst();
  return Number(row?.used ?? 0);
}

/** Forgets days before `before`. Resolves with how many rows left. */
export async function pruneQuotas(db: Db, before: Date): Promise<number> {
  const result = await db
    .deleteFrom('quotas')
    .where('day', '<', sql<Date>`${quotaDay(before).day}::date`)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
