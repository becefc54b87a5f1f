/** Admission of a file: its row, its run, its first event and its idempotency key, in one transaction. */
import { createHash } from 'node:crypto';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { ImportFrom, IngestInput } from '../../schema/ingestion.ts';
import { type Source, WORKFLOWS } from '../../schema/names.ts';
import type { Trx } from '../../stores/database.ts';
import { appendEvents } from '../../stores/events.ts';
import { type FileRow, findFile, findSameBytes, insertFile, type NewFile } from '../../stores/files.ts';
import { claimIdempotencyKey, redirectIdempotencyKey } from '../../stores/idempotency.ts';
import { insertRun, type NewRun } from '../../stores/runs.ts';
import { startAdmitted } from '../engine.ts';

const INSERT_TRIES = 5;

export interface Admission {
  file: NewFile;
  import: ImportFrom | null;
  idempotency: { operation: string; key: string; body: string } | null;
}

export interface Admitted {
  file_id: string;
  workflow_id: string;
  status: FileRow['status'];
  duplicate: boolean;
}

export function ingestRun(
  file: { file_id: string; workflow_id: string; owner: string; source_type: Source },
  attempt: number,
  from: ImportFrom | null,
): NewRun {
  const input: IngestInput = {
    file_id: file.file_id,
    owner: file.owner,
    source: file.source_type,
    attempt,
    import: from,
  };
  return {
    workflow_id: file.workflow_id,
    type: WORKFLOWS.ingestFile,
    room: 'ingestion',
    owner: file.owner,
    source: file.source_type,
    resource: `file:${file.file_id}`,
    input,
  };
}

/**
 * Admits the file and starts its workflow, or answers with the file that the same bytes, or the same
 * Idempotency-Key, led to before. Throws Failure('idempotency_mismatch') for a key that came with another body.
 */
export async function admitFile(deps: Deps, admission: Admission): Promise<Admitted> {
  const { file } = admission;
  const run = ingestRun(file, 1, admission.import);
  const existing = await deps.db.transaction().execute(async (trx) => {
    const claimed = admission.idempotency
      ? await claimIdempotencyKey(trx, {
          principal_id: file.owner,
          operation: admission.idempotency.operation,
          key: admission.idempotency.key,
          body_hash: createHash('sha256').update(admission.idempotency.body).digest('hex'),
          resource_id: file.file_id,
        })
      : file.file_id;
    if (claimed !== file.file_id) return requireFile(await findFile(trx, claimed));
    const same = await insertUnlessHere(trx, file);
    if (same) {
      if (admission.idempotency) {
        const { operation, key } = admission.idempotency;
        await redirectIdempotencyKey(trx, { principal_id: file.owner, operation, key, resource_id: same.file_id });
      }
      return same;
    }
    await insertRun(trx, run);
    await appendEvents(trx, [
      {
        name: 'file.uploaded',
        owner: file.owner,
        resource: `file:${file.file_id}`,
        workflow_id: file.workflow_id,
        key: `${file.file_id}/uploaded`,
        data: {
          file_id: file.file_id,
          filename: file.filename,
          source_type: file.source_type,
          size_bytes: file.size_bytes,
          user_id: file.owner,
        },
      },
    ]);
    return null;
  });
  if (existing)
    return { file_id: existing.file_id, workflow_id: existing.workflow_id, status: existing.status, duplicate: true };
  await startAdmitted(deps, run);
  return { file_id: file.file_id, workflow_id: file.workflow_id, status: 'pending', duplicate: false };
}

/** The live file of the same bytes, or null after the new one went in. Of two uploads at once the second waits for the first. */
async function insertUnlessHere(trx: Trx, file: NewFile): Promise<FileRow | null> {
  for (let attempt = 0; attempt < INSERT_TRIES; attempt++) {
    const same = await findSameBytes(trx, file);
    if (same) return same;
    if (await insertFile(trx, file)) return null;
    // The one that was in the way may have failed or gone before it could be read.
  }
  throw new Failure('unavailable', 'The same bytes come and go at this moment; try again');
}

function requireFile(row: FileRow | undefined): FileRow {
  if (row) return row;
  throw new Failure('conflict', 'This Idempotency-Key led to a file that was deleted since; use a new key');
}
