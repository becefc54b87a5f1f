/** Step 4 of an ingestion: sweeps what this attempt no longer holds, counts from the rows, and closes. */
import type { Deps } from '../../deps.ts';
import type { IngestResult, Step } from '../../schema/ingestion.ts';
import { countRecords } from '../../stores/content.ts';
import { removeContent } from '../../stores/content-removal.ts';
import { appendEvents } from '../../stores/events.ts';
import { lockFile, patchFile } from '../../stores/files.ts';
import { closeRun } from '../../stores/runs.ts';
import { fileEvent } from './events.ts';
import { REMOVE_BATCH } from './remove.ts';

/** Idempotent: a second run finds the file completed and answers the same. */
export async function completeFile(deps: Deps, step: Step): Promise<IngestResult> {
  const sweep = { file_id: step.file_id, owner: step.owner, source: step.source, before_attempt: step.attempt };
  if (step.attempt > 1) while ((await removeContent(deps.db, deps.vectors, sweep, REMOVE_BATCH)) > 0);
  return deps.db.transaction().execute(async (trx) => {
    const file = await lockFile(trx, step);
    const counts = await countRecords(trx, step.file_id);
    const result = {
      file_id: step.file_id,
      status: 'completed' as const,
      total_records: counts.total,
      vector_count: counts.vectors,
      error_count: Number(file.error_count),
    };
    if (file.status === 'completed') return result;
    const completed_at = new Date();
    await patchFile(trx, step, {
      status: 'completed',
      phase: 'completed',
      progress: 100,
      total_records: counts.total,
      vector_count: counts.vectors,
      records_by_type: counts.by_type,
      completed_at,
    });
    await closeRun(trx, step.workflow_id, 'completed', null);
    await appendEvents(trx, [
      fileEvent(step, 'completed', 'processing.completed', {
        file_id: step.file_id,
        total_records: counts.total,
        processing_time_ms: completed_at.getTime() - (file.started_at ?? file.created_at).getTime(),
        vector_count: counts.vectors,
      }),
    ]);
    return result;
  });
}
