/** Content versions: one number per owner and source that grows with every change of their rows or vectors. */
import { sql } from 'kysely';
import type { Source } from '../schema/names.ts';
import type { Db, Trx } from './database.ts';

/**
 * Says that content of `owner` and `source` changed; answers cached before are not given again once `trx` commits.
 * Call it last in the transaction in which rows land or leave, and after vectors landed: it holds a row lock until
 * the commit, on which other batches of the same owner and source wait.
 */
export async function bumpContentVersion(trx: Trx | Db, owner: string, source: Source): Promise<void> {
  await sql`
    INSERT INTO content_versions (owner, source_type, version) VALUES (${owner}, ${source}, 1)
    ON CONFLICT (owner, source_type) DO UPDATE SET version = content_versions.version + 1
  `.execute(trx);
}

/**
 * The state of the content that `owners` (null: all) have of `sources` (null: all), as text. Versions only grow and
 * rows never leave, so the sum changes with every committed bump and never returns to an earlier value.
 */
export async function readContentVersions(
  db: Db | Trx,
  owners: readonly string[] | null,
  sources: readonly Source[] | null,
): Promise<string> {
  const result = await sql<{ version: string }>`
    SELECT coalesce(sum(version), 0)::text AS version FROM content_versions
    WHERE (${owners}::text[] IS NULL OR owner = ANY(${owners}::text[]))
      AND (${sources}::text[] IS NULL OR source_type = ANY(${sources}::text[]))
  `.execute(db);
  return result.rows[0]?.version ?? '0';
}
