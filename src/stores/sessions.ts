/** Browser sessions: a hash that stands for an API key until it expires. */
import type { Db } from './database.ts';
import type { KeyRow } from './keys.ts';

export async function insertSession(
  db: Db,
  session: { hash: Buffer; key_id: string; expires_at: Date },
): Promise<void> {
  await db.deleteFrom('sessions').where('expires_at', '<', new Date()).execute();
  await db.insertInto('sessions').values(session).execute();
}

/** The key behind a session, with the session's own end; undefined when the hash is unknown. */
export async function findSession(
  db: Db,
  hash: Buffer,
): Promise<{ key: KeyRow; hash: Buffer; expires_at: Date } | undefined> {
  const row = await db
    .selectFrom('sessions')
    .innerJoin('api_keys', 'api_keys.key_id', 'sessions.key_id')
    .selectAll('api_keys')
    .select(['sessions.hash as session_hash', 'sessions.expires_at as session_expires_at'])
    .where('sessions.hash', '=', hash)
    .executeTakeFirst();
  if (!row) return undefined;
  const { session_hash, session_expires_at, ...key } = row;
  return { key, hash: session_hash, expires_at: session_expires_at };
}

export async function deleteSession(db: Db, hash: Buffer): Promise<void> {
  await db.deleteFrom('sessions').where('hash', '=', hash).execute();
}
