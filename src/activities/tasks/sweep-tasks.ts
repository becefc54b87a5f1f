/** Retention of tasks: rows, and what built-in ones keep in the object store. */
import type { Deps } from '../../deps.ts';
import { lockTasksEndedBefore, removeTasks } from '../../stores/task-removal.ts';

const AT_ONCE = 100;

/**
 * Removes tasks that ended before `before`: objects first, so that a crash in between leaves a row that is swept again.
 * Resolves with how many.
 */
export async function sweepTasks(deps: Pick<Deps, 'db' | 'objects'>, before: Date): Promise<number> {
  let removed = 0;
  for (;;) {
    const gone = await deps.db.transaction().execute(async (trx) => {
      const ids = await lockTasksEndedBefore(trx, before, AT_ONCE);
      for (const id of ids) await deps.objects.deletePrefix(`runs/${id}/`);
      if (ids.length > 0) await removeTasks(trx, ids);
      return ids.length;
    });
    removed += gone;
    if (gone < AT_ONCE) return removed;
  }
}
