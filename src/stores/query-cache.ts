/** Answers kept in Postgres for every process, each with the content versions it was made from. Bounded and expiring. */
import { sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import type { Db } from './database.ts';

export const CACHE_TTL_SECONDS = 3_600;
const MAX_ENTRIES = 10_000;

export interface CachedAnswer {
  versions: string;
  response: JsonObject;
}

export async function readCachedAnswer(db: Db, key: string): Promise<CachedAnswer | null> {
  const row = await db
    .selectFrom('query_cache')
    .select(['versions', 'response'])
    .where('cache_key', '=', key)
    .where('created_at', '>', sql<Date>`now() - make_interval(secs => ${CACHE_TTL_SECONDS})`)
    .executeTakeFirst();
  return row ?? null;
}

export async function writeCachedAnswer(db: Db, key: string, answer: CachedAnswer): Promise<void> {
  const response = JSON.stringify(answer.response);
  await db
    .insertInto('query_cache')
    .values({ cache_key: key, versions: answer.versions, response })
    .onConflict((conflict) =>
      conflict.column('cache_key').doUpdateSet({ versions: answer.versions, response, created_at: sql`now()` }),
    )
    .execute();
}

/** Removes what expired and, beyond the bound, the oldest. Resolves with how many entries left. */
export async function pruneQueryCache(db: Db): Promise<number> {
  const result = await sql`
    DELETE FROM query_cache WHERE created_at <= now() - make_interval(secs => ${CACHE_TTL_SECONDS})
      OR cache_key IN (SELECT cache_key FROM query_cache ORDER BY created_at DESC OFFSET ${MAX_ENTRIES})
  `.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}
