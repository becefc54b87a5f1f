/** Idempotency keys: the first use of a key decides what it leads to. */
import type { Insertable } from 'kysely';
import { Failure } from '../schema/failures.ts';
import type { Tables } from '../schema/tables.ts';
import type { Trx } from './database.ts';

/**
 * Claims the key for `resource_id`, or resolves with the resource that it led to before. A parallel claim of the
 * same key waits for the other transaction. Throws Failure('idempotency_mismatch') when the body was another.
 */
export async function claimIdempotencyKey(trx: Trx, claim: Insertable<Tables['idempotency_keys']>): Promise<string> {
  const inserted = await trx
    .insertInto('idempotency_keys')
    .values(claim)
    .onConflict((conflict) => conflict.columns(['principal_id', 'operation', 'key']).doNothing())
    .returning('resource_id')
    .executeTakeFirst();
  if (inserted) return inserted.resource_id;
  const earlier = await trx
    .selectFrom('idempotency_keys')
    .select(['resource_id', 'body_hash'])
    .where('principal_id', '=', claim.principal_id)
    .where('operation', '=', claim.operation)
    .where('key', '=', claim.key)
    .executeTakeFirstOrThrow();
  if (earlier.body_hash !== claim.body_hash) {
    throw new Failure('idempotency_mismatch', `Idempotency-Key ${claim.key} was used with another body; use a new key`);
  }
  return earlier.resource_id;
}

/** Lets a key claimed in this transaction lead to another resource: the one that was there already. */
export async function redirectIdempotencyKey(
  trx: Trx,
  claim: Pick<Insertable<Tables['idempotency_keys']>, 'principal_id' | 'operation' | 'key' | 'resource_id'>,
): Promise<void> {
  await trx
    .updateTable('idempotency_keys')
    .set({ resource_id: claim.resource_id })
    .where('principal_id', '=', claim.principal_id)
    .where('operation', '=', claim.operation)
    .where('key', '=', claim.key)
    .execute();
}
