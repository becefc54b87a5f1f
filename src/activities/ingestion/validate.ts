/** Step 1 of an ingestion: checks the upload's structure, names the parser, and says how long it may take. */
import type { Deps } from '../../deps.ts';
import { inspectUpload } from '../../parsers/inspect.ts';
import { parseLimits } from '../../parsers/limits.ts';
import { objectAccess } from '../../parsers/readers/access.ts';
import { Failure } from '../../schema/failures.ts';
import type { Step } from '../../schema/ingestion.ts';
import { SOURCE_MAPPINGS } from '../../schema/names.ts';
import { appendEvents } from '../../stores/events.ts';
import { lockFile, patchFile } from '../../stores/files.ts';
import { markRunStarted } from '../../stores/runs.ts';
import { fileEvent } from './events.ts';

/** What parsing does on one core of a small machine, from bench (a): only an estimate is made from it. */
const BYTES_PER_MS = 20_000;

export async function validateFile(deps: Deps, step: Step): Promise<{ entries: number }> {
  const row = await deps.db.transaction().execute(async (trx) => {
    const file = await lockFile(trx, step);
    await patchFile(trx, step, {
      status: 'processing',
      phase: 'upload',
      progress: 1,
      ...(file.started_at ? {} : { started_at: new Date() }),
    });
    await markRunStarted(trx, step.workflow_id);
    return file;
  });
  if (row.object_key === null) throw new Failure('not_found', 'The uploaded bytes are gone; upload the file again');
  const access = await objectAccess(deps.objects, row.object_key);
  try {
    const found = await inspectUpload(access, {
      filename: row.filename,
      source: step.source,
      limits: parseLimits(deps.config),
    });
    await deps.db.transaction().execute(async (trx) => {
      await lockFile(trx, step);
      await patchFile(trx, step, { phase: 'processing', progress: 5 });
      await appendEvents(trx, [
        fileEvent(step, 'validated', 'file.validation.completed', { file_id: step.file_id, valid: true, errors: [] }),
        fileEvent(step, 'started', 'processing.started', {
          file_id: step.file_id,
          parser_type: SOURCE_MAPPINGS[step.source].parser,
          estimated_duration_ms: Math.ceil(found.unpacked_bytes / BYTES_PER_MS) + 100,
        }),
      ]);
    });
    return { entries: found.entries };
  } finally {
    await access.close();
  }
}
