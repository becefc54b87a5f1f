/** Sees to it that somebody can sign in: the admin key of the first start, or the one that API_KEY names. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Config } from '../schema/config.ts';
import { openDatabase, type Trx } from '../stores/database.ts';
import { insertKey } from '../stores/keys.ts';
import { hashSecret, newApiKey, shownPrefix } from './access/secrets.ts';

/** Owner of what the admin key makes; every admin key made here shares it. */
export const ADMIN_PRINCIPAL = 'admin';
/** Marks the row that stands for API_KEY, so that changing the setting ends the old key. */
const FROM_SETTING = 'setting:API_KEY';
/** Any fixed number; it serialises processes that start together. */
const LOCK = 7206316;

/**
 * Idempotent and safe from several processes at once; the database must be migrated. With API_KEY set, that is the
 * admin key and an earlier API_KEY stops working. Without it, a key is made when no admin key is live, and
 * `key` holds it this one time: only its hash is stored.
 */
export async function ensureAdminKey(
  databaseUrl: string,
  config: Pick<Config, 'API_KEY'>,
): Promise<{ created: boolean; key?: string }> {
  const { db, close } = openDatabase(databaseUrl, { max: 1, applicationName: 'ostinato-admin-key' });
  try {
    return await db.transaction().execute(async (trx) => {
      await sql`SELECT pg_advisory_xact_lock(${LOCK})`.execute(trx);
      const wanted = config.API_KEY === undefined ? null : hashSecret(config.API_KEY);
      await retireOldSettings(trx, wanted);
      if (config.API_KEY !== undefined && wanted !== null) return await adopt(trx, config.API_KEY, wanted);
      if (await hasLiveAdmin(trx)) return { created: false };
      const { key, hash, prefix } = newApiKey();
      await insertKey(trx, { ...adminRow(), hash, prefix, name: 'Admin', created_by: null });
      return { created: true, key };
    });
  } finally {
    await close();
  }
}

function adminRow() {
  return {
    key_id: randomUUID(),
    principal_id: ADMIN_PRINCIPAL,
    role: 'admin' as const,
    grants: [],
    expires_at: null,
  };
}

async function retireOldSettings(trx: Trx, wanted: Buffer | null): Promise<void> {
  let query = trx
    .updateTable('api_keys')
    .set({ revoked_at: new Date() })
    .where('created_by', '=', FROM_SETTING)
    .where('revoked_at', 'is', null);
  if (wanted !== null) query = query.where('hash', '<>', wanted);
  await query.execute();
}

async function adopt(trx: Trx, key: string, hash: Buffer): Promise<{ created: boolean }> {
  const updated = await trx
    .updateTable('api_keys')
    .set({ role: 'admin', revoked_at: null, expires_at: null, created_by: FROM_SETTING })
    .where('hash', '=', hash)
    .returning('key_id')
    .executeTakeFirst();
  if (updated) return { created: false };
  await insertKey(trx, { ...adminRow(), hash, prefix: shownPrefix(key), name: 'API_KEY', created_by: FROM_SETTING });
  return { created: true };
}

async function hasLiveAdmin(trx: Trx): Promise<boolean> {
  const row = await trx
    .selectFrom('api_keys')
    .select('key_id')
    .where('role', '=', 'admin')
    .where('revoked_at', 'is', null)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', new Date())]))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
