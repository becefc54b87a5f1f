/** Brings stored secrets from MASTER_KEY_PREVIOUS over to MASTER_KEY. */
import { Failure } from '../../schema/failures.ts';
import { lockSealedOtherwise, replaceSealed } from '../../stores/credentials.ts';
import type { Db } from '../../stores/database.ts';
import { type MasterKey, open, seal, sealedHead } from './seal.ts';

const BATCH = 100;

/**
 * Seals anew what is not under MASTER_KEY. Each batch is a transaction, so that an end at any point leaves every secret
 * under one of the two keys; processes that do it at once share the work. `unopened` were sealed under neither key, or
 * altered, and stay as they are.
 */
export async function resealSecrets(deps: {
  db: Db;
  config: MasterKey;
}): Promise<{ resealed: number; unopened: number }> {
  const { db, config } = deps;
  const head = sealedHead(config);
  const done = { resealed: 0, unopened: 0 };
  if (head === null) return done;
  for (let after: string | null = null, more = true; more; ) {
    await db.transaction().execute(async (trx) => {
      const rows = await lockSealedOtherwise(trx, head, { after, limit: BATCH });
      for (const row of rows) {
        const secret = opened(config, row);
        if (secret === null) {
          done.unopened += 1;
        } else {
          await replaceSealed(trx, row.credential_id, seal(config, row, secret));
          done.resealed += 1;
        }
      }
      after = rows.at(-1)?.credential_id ?? null;
      more = rows.length > 0;
    });
  }
  return done;
}

function opened(config: MasterKey, row: { owner: string; name: string; sealed: Buffer }): string | null {
  try {
    return open(config, row, row.sealed);
  } catch (error) {
    if (error instanceof Failure && error.code === 'unsealable') return null;
    throw error;
  }
}
