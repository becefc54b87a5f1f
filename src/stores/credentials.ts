/** Credentials for outgoing calls as rows: what is no secret in the clear, the secret sealed. */
import { type Insertable, type Selectable, sql } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Db, Trx } from './database.ts';

export type CredentialRow = Selectable<Tables['outbound_credentials']>;

const SHOWN = ['credential_id', 'owner', 'name', 'kind', 'config', 'created_at', 'updated_at'] as const;
/** All but the secret. */
export type ShownCredential = Pick<CredentialRow, (typeof SHOWN)[number]>;

/** Undefined when the owner has one of this name. */
export async function insertCredential(
  db: Db | Trx,
  row: Pick<Insertable<Tables['outbound_credentials']>, 'owner' | 'name' | 'kind' | 'config' | 'sealed'>,
): Promise<ShownCredential | undefined> {
  return db
    .insertInto('outbound_credentials')
    .values(row)
    .onConflict((conflict) => conflict.columns(['owner', 'name']).doNothing())
    .returning(SHOWN)
    .executeTakeFirst();
}

/** With its sealed secret. */
export async function findCredential(db: Db | Trx, owner: string, name: string): Promise<CredentialRow | undefined> {
  return db
    .selectFrom('outbound_credentials')
    .selectAll()
    .where('owner', '=', owner)
    .where('name', '=', name)
    .executeTakeFirst();
}

export async function getCredential(db: Db | Trx, credentialId: string): Promise<ShownCredential | undefined> {
  return db
    .selectFrom('outbound_credentials')
    .select(SHOWN)
    .where('credential_id', '=', credentialId)
    .executeTakeFirst();
}

/** Newest first, `limit` of them before the last one seen; `owners` null means everybody's. */
export async function listCredentials(
  db: Db,
  options: { owners: string[] | null; limit: number; before: { created_at: Date; credential_id: string } | null },
): Promise<ShownCredential[]> {
  const { owners, limit, before } = options;
  let query = db
    .selectFrom('outbound_credentials')
    .select(SHOWN)
    .orderBy(sql`date_trunc('milliseconds', created_at)`, 'desc')
    .orderBy('credential_id', 'desc')
    .limit(limit);
  if (owners !== null) query = query.where('owner', 'in', owners);
  if (before) {
    // Cursors hold milliseconds while rows hold microseconds.
    query = query.where(
      sql<boolean>`(date_trunc('milliseconds', created_at), credential_id) < (${before.created_at}, ${before.credential_id}::uuid)`,
    );
  }
  return query.execute();
}

/** Whether there was one. */
export async function deleteCredential(db: Db | Trx, credentialId: string): Promise<boolean> {
  const result = await db
    .deleteFrom('outbound_credentials')
    .where('credential_id', '=', credentialId)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}

/** Rows whose secret does not begin with `head`, by id after `after`, locked until the transaction ends. */
export async function lockSealedOtherwise(
  trx: Trx,
  head: Buffer,
  page: { after: string | null; limit: number },
): Promise<Pick<CredentialRow, 'credential_id' | 'owner' | 'name' | 'sealed'>[]> {
  let query = trx
    .selectFrom('outbound_credentials')
    .select(['credential_id', 'owner', 'name', 'sealed'])
    .where(sql<boolean>`substring(sealed FOR ${head.length}) <> ${head}`)
    .orderBy('credential_id')
    .limit(page.limit)
    .forUpdate();
  if (page.after !== null) query = query.where('credential_id', '>', page.after);
  return query.execute();
}

export async function replaceSealed(trx: Trx, credentialId: string, sealed: Buffer): Promise<void> {
  await trx.updateTable('outbound_credentials').set({ sealed }).where('credential_id', '=', credentialId).execute();
}
