/** Published outputs, where a retention is set: what was not written for so long goes. Without one they stay for good. */
import type { Deps } from '../../deps.ts';
import { dropOutputTable, listOutputTables } from '../../stores/output-tables.ts';

const DAY_MS = 24 * 3_600_000;

/** Objects under `outputs/` and tables of pipelines that were last written before the retention; resolves with how many. */
export async function sweepOutputs(deps: Pick<Deps, 'config' | 'objects' | 'pool' | 'log'>): Promise<number> {
  const days = deps.config.OUTPUT_RETENTION_DAYS;
  if (days === 0) return 0;
  const before = new Date(Date.now() - days * DAY_MS);
  return (await sweepObjects(deps, before)) + (await sweepTables(deps, before));
}

async function sweepObjects({ objects }: Pick<Deps, 'objects'>, before: Date): Promise<number> {
  let removed = 0;
  for await (const { key, modified } of objects.list('outputs/')) {
    if (modified >= before) continue;
    // A list is read ahead: a run may have written it anew meanwhile.
    const now = await objects.stat(key);
    if (now === null || now.modified >= before) continue;
    await objects.delete(key);
    removed += 1;
  }
  return removed;
}

async function sweepTables({ pool, log }: Pick<Deps, 'pool' | 'log'>, before: Date): Promise<number> {
  let removed = 0;
  for (const table of await listOutputTables(pool)) {
    try {
      if (await dropOutputTable(pool, table, before)) removed += 1;
    } catch (err) {
      // Somebody built a view on it: theirs goes first. Or somebody reads it: the next sweep comes within the hour.
      log.warn({ err, table }, 'an output table is past its retention and cannot be dropped');
    }
  }
  return removed;
}
