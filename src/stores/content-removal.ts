/** Takes out what a file brought: its links, the records no other file holds, and their vectors. */
import { sql } from 'kysely';
import type { Source } from '../schema/names.ts';
import { lockContent } from './content.ts';
import { bumpContentVersion } from './content-versions.ts';
import type { VectorIndex } from './contract.ts';
import type { Db, Trx } from './database.ts';

export interface Removal {
  file_id: string;
  owner: string;
  source: Source;
  /** Only links of attempts before this one; undefined takes out all. */
  before_attempt?: number;
}

/**
 * Removes up to `limit` links and what hung on them alone. Resolves with how many links there were; 0 means done.
 * Safe to repeat after a kill at any point: orphans lose their vector mark first, in a transaction of their own, so
 * that a record which another file takes up meanwhile is embedded again rather than left without a vector.
 */
export async function removeContent(
  db: Db,
  vectors: VectorIndex | null,
  removal: Removal,
  limit: number,
): Promise<number> {
  await db.transaction().execute(async (trx) => {
    await lockContent(trx, removal.owner, removal.source, 'exclusive');
    const { orphans } = await pick(trx, removal, limit);
    if (orphans.length === 0) return;
    await sql`UPDATE parsed_content SET vector_hash = NULL WHERE record_id = ANY(${orphans}::uuid[]) AND vector_hash IS NOT NULL`.execute(
      trx,
    );
  });
  return db.transaction().execute(async (trx) => {
    await lockContent(trx, removal.owner, removal.source, 'exclusive');
    const { links, orphans } = await pick(trx, removal, limit);
    if (links.length === 0) return 0;
    await sql`DELETE FROM file_records WHERE file_id = ${removal.file_id}::uuid AND record_id = ANY(${links}::uuid[])`.execute(
      trx,
    );
    if (orphans.length > 0) {
      await sql`DELETE FROM parsed_content WHERE record_id = ANY(${orphans}::uuid[])`.execute(trx);
      await vectors?.deleteIds(orphans);
    }
    await bumpContentVersion(trx, removal.owner, removal.source);
    return links.length;
  });
}

async function pick(trx: Trx, removal: Removal, limit: number): Promise<{ links: string[]; orphans: string[] }> {
  const attempt = removal.before_attempt ?? 2_147_483_647;
  const result = await sql<{ record_id: string; orphan: boolean }>`
    SELECT link.record_id, NOT EXISTS (
      SELECT FROM file_records AS other WHERE other.record_id = link.record_id AND other.file_id <> link.file_id
    ) AS orphan
    FROM file_records AS link
    WHERE link.file_id = ${removal.file_id}::uuid AND link.attempt < ${attempt}
    ORDER BY link.record_id LIMIT ${limit}`.execute(trx);
  return {
    links: result.rows.map((row) => row.record_id),
    orphans: result.rows.filter((row) => row.orphan).map((row) => row.record_id),
  };
}
