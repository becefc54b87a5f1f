/** API keys as rows: the hash, whom they stand for, and until when. */
import { type Selectable, sql } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Db, Trx } from './database.ts';

export type KeyRow = Selectable<Tables['api_keys']>;

const SHOWN = [
  'key_id',
  'principal_id',
  'name',
  'role',
  'grants',
  'prefix',
  'created_by',
  'created_at',
  'expires_at',
  'revoked_at',
  'last_used_at',
] as const;
export type ShownKey = Pick<KeyRow, (typeof SHOWN)[number]>;

export interface NewKey {
  key_id: string;
  principal_id: string;
  name: string;
  role: KeyRow['role'];
  grants: KeyRow['grants'];
  prefix: string;
  hash: Buffer;
  created_by: string | null;
  expires_at: Date | null;
}

export async function insertKey(db: Db | Trx, key: NewKey): Promise<ShownKey> {
  return db
    .insertInto('api_keys')
    .values({ ...key, grants: JSON.stringify(key.grants) })
    .returning(SHOWN)
    .executeTakeFirstOrThrow();
}

/** The key of this hash whatever its state; the caller checks expiry and revocation. */
export async function findKeyByHash(db: Db | Trx, hash: Buffer): Promise<KeyRow | undefined> {
  return db.selectFrom('api_keys').selectAll().where('hash', '=', hash).executeTakeFirst();
}

/** Newest first, `limit` of them before `cursor` (`created_at` and id of the last one seen). */
export async function listKeys(
  db: Db,
  options: { limit: number; before: { created_at: Date; key_id: string } | null },
): Promise<ShownKey[]> {
  const { before, limit } = options;
  let query = db
    .selectFrom('api_keys')
    .select(SHOWN)
    .orderBy(sql`date_trunc('milliseconds', created_at)`, 'desc')
    .orderBy('key_id', 'desc')
    .limit(limit);
  if (before) {
    // Cursors hold milliseconds while rows hold microseconds.
    query = query.where(
      sql<boolean>`(date_trunc('milliseconds', created_at), key_id) < (${before.created_at}, ${before.key_id}::uuid)`,
    );
  }
  return query.execute();
}

/** Revokes; resolves with the key as it now is, or undefined when there is none. Revoking twice keeps the first time. */
export async function revokeKey(db: Db, keyId: string): Promise<ShownKey | undefined> {
  return db
    .updateTable('api_keys')
    .set((eb) => ({ revoked_at: eb.fn.coalesce('revoked_at', eb.fn<Date>('now')) }))
    .where('key_id', '=', keyId)
    .returning(SHOWN)
    .executeTakeFirst();
}

export async function touchKey(db: Db, keyId: string): Promise<void> {
  await db.updateTable('api_keys').set({ last_used_at: new Date() }).where('key_id', '=', keyId).execute();
}

/** Revokes every live key of this role and principal; resolves with how many. */
export async function revokeKeysOf(db: Db | Trx, role: KeyRow['role'], principalId: string): Promise<number> {
  const result = await db
    .updateTable('api_keys')
    .set((eb) => ({ revoked_at: eb.fn<Date>('now') }))
    .where('role', '=', role)
    .where('principal_id', '=', principalId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}
