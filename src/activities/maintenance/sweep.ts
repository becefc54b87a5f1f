/** Removes what nothing refers to any more: broken uploads, expired keys and sessions, old events and caches. */
import { sql } from 'kysely';
import type { Deps } from '../../deps.ts';
import { pruneQueryLog } from '../../stores/query-log.ts';
import { keepAlive } from '../context.ts';

const HOUR_MS = 3_600_000;
/** An upload may take this long before its bytes count as left behind. */
const UPLOAD_HOURS = 24;

export interface Swept {
  unfinished: number;
  orphans: number;
  rows: number;
}

export async function sweepStorage(deps: Deps): Promise<Swept> {
  const stop = keepAlive(() => null);
  try {
    const before = new Date(Date.now() - UPLOAD_HOURS * HOUR_MS);
    const unfinished = await deps.objects.sweepUnfinished(before);
    const orphans = await sweepOrphans(deps, before);
    const rows = await sweepRows(deps);
    await deps.vectors?.compact();
    return { unfinished, orphans, rows };
  } finally {
    stop();
  }
}

/** Objects under `uploads/` whose file was never admitted, or is deleted. */
async function sweepOrphans(deps: Deps, before: Date): Promise<number> {
  let removed = 0;
  for await (const object of deps.objects.list('uploads/')) {
    if (object.modified >= before) continue;
    const id = object.key.slice('uploads/'.length);
    const kept = await deps.db
      .selectFrom('file_imports')
      .select('file_id')
      .where(sql<boolean>`file_id::text = ${id}`)
      .where('object_key', '=', object.key)
      .executeTakeFirst();
    if (kept) continue;
    await deps.objects.delete(object.key);
    removed += 1;
  }
  return removed;
}

async function sweepRows(deps: Deps): Promise<number> {
  const days = deps.config.RETENTION_DAYS;
  const results = await Promise.all([
    sql`DELETE FROM sessions WHERE expires_at < now()`.execute(deps.db),
    sql`DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(days => 2)`.execute(deps.db),
    sql`DELETE FROM event_log WHERE created_at < now() - make_interval(days => ${days})`.execute(deps.db),
    sql`DELETE FROM query_cache WHERE created_at < now() - make_interval(days => 1)`.execute(deps.db),
    sql`DELETE FROM workflow_runs WHERE closed_at < now() - make_interval(days => ${days})
        AND NOT EXISTS (SELECT FROM file_imports WHERE file_imports.workflow_id = workflow_runs.workflow_id AND deleted_at IS NULL)`.execute(
      deps.db,
    ),
  ]);
  const queries = await pruneQueryLog(deps.db, new Date(Date.now() - days * 24 * HOUR_MS));
  return results.reduce((sum, result) => sum + Number(result.numAffectedRows ?? 0n), queries);
}
