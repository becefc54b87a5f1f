/** Removes what nothing refers to any more: broken uploads, expired keys and sessions, old events and caches. */
import { sql } from 'kysely';
import type { Deps } from '../../deps.ts';
import { pruneAudit } from '../../stores/audit.ts';
import { pruneEvents } from '../../stores/events.ts';
import { pruneLimits } from '../../stores/limits.ts';
import { pruneQueryCache } from '../../stores/query-cache.ts';
import { pruneQueryLog } from '../../stores/query-log.ts';
import { pruneQuotas } from '../../stores/quotas.ts';
import { keepAlive } from '../context.ts';
import { sweepPipelineRuns } from '../pipelines/sweep-runs.ts';
import { sweepTasks } from '../tasks/sweep-tasks.ts';
import { sweepOutputs } from './sweep-outputs.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** An upload may take this long before its bytes count as left behind. */
const UPLOAD_HOURS = 24;
/** Days that what callers used of their daily quotas is kept, for those who ask afterwards. */
const QUOTA_DAYS = 35;
/** Rows of one DELETE where a sweep may find millions. */
const BATCH = 10_000;

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
    const runsBefore = new Date(Date.now() - deps.config.RETENTION_DAYS * DAY_MS);
    // Runs before tasks: those of a run go when it is gone.
    const runs = await sweepPipelineRuns(deps, runsBefore);
    const rows = (await sweepRows(deps)) + runs + (await sweepTasks(deps, runsBefore));
    const outputs = await sweepOutputs(deps);
    await deps.vectors?.compact();
    return { unfinished, orphans, rows: rows + outputs };
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
  const { db, config } = deps;
  const daysAgo = (days: number) => new Date(Date.now() - days * DAY_MS);
  const results = await Promise.all([
    sql`DELETE FROM sessions WHERE expires_at < now()`.execute(db),
    sql`DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(days => 2)`.execute(db),
    sql`DELETE FROM workflow_runs WHERE closed_at < ${daysAgo(config.RETENTION_DAYS)}
        AND NOT EXISTS (SELECT FROM file_imports WHERE file_imports.workflow_id = workflow_runs.workflow_id AND deleted_at IS NULL)`.execute(
      db,
    ),
  ]);
  const counts = [
    await pruneAllEvents(deps, daysAgo(config.EVENT_RETENTION_DAYS)),
    await pruneAudit(db, daysAgo(config.AUDIT_RETENTION_DAYS), BATCH),
    await pruneQueryLog(db, daysAgo(config.RETENTION_DAYS)),
    await pruneQueryCache(db),
    await pruneQuotas(db, daysAgo(QUOTA_DAYS)),
    await pruneLimits(db, new Date(Date.now() - HOUR_MS)),
  ];
  const swept = results.reduce((sum, result) => sum + Number(result.numAffectedRows ?? 0n), 0);
  return counts.reduce((sum, count) => sum + count, swept);
}

async function pruneAllEvents({ db }: Deps, before: Date): Promise<number> {
  let total = 0;
  for (;;) {
    const gone = await pruneEvents(db, before, BATCH);
    total += gone;
    if (gone < BATCH) return total;
  }
}
