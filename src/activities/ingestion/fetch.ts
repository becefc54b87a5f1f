/** Step 0 of an import: brings the bytes from an address or another key into the store, hashed on the way. */
import { createHash } from 'node:crypto';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { ImportFrom, Step } from '../../schema/ingestion.ts';
import { type FileRow, findSameBytes, lockFile, patchFile } from '../../stores/files.ts';
import { markRunStarted } from '../../stores/runs.ts';
import { keepAlive } from '../context.ts';

/** A large export over a slow line; the step's own time limit is the same. */
const LONGEST_MS = 2 * 3_600_000;

/** Resolves once `uploads/<file id>` holds the bytes. A repeat starts over: a partial object is never visible. */
export async function fetchFile(
  deps: Deps,
  input: Step & { from: ImportFrom },
  signal: AbortSignal,
): Promise<{ size_bytes: number }> {
  const key = `uploads/${input.file_id}`;
  await deps.db.transaction().execute(async (trx) => {
    await lockFile(trx, input);
    await markRunStarted(trx, input.workflow_id);
    await patchFile(trx, input, { status: 'processing', phase: 'upload', started_at: new Date() });
  });
  let size = 0;
  const stop = keepAlive(() => ({ bytes: size }));
  try {
    const hash = createHash('sha256');
    const source = await open(deps, input.from, signal);
    const measured = async function* () {
      for await (const chunk of source) {
        signal.throwIfAborted();
        size += chunk.length;
        if (size > deps.config.MAX_UPLOAD_BYTES) {
          throw new Failure(
            'payload_too_large',
            `The content is over MAX_UPLOAD_BYTES (${deps.config.MAX_UPLOAD_BYTES})`,
          );
        }
        hash.update(chunk);
        yield chunk;
      }
    };
    await deps.objects.put(key, measured());
    if (size === 0) throw new Failure('empty_file', 'The address gave no bytes');
    const same = await settle(deps, input, { key, size, sha256: hash.digest('hex') });
    if (same !== null) {
      await deps.objects.delete(key);
      throw new Failure('conflict', `The same bytes are already here as file ${same.file_id}`);
    }
    return { size_bytes: size };
  } finally {
    stop();
  }
}

async function open(deps: Deps, from: ImportFrom, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  if ('object_key' in from) return deps.objects.get(from.object_key);
  return (await deps.egress.stream(from.url, { signal, timeoutMs: LONGEST_MS })).body;
}

/** Writes what the bytes turned out to be and resolves with null, or with the other file that holds them already. */
async function settle(
  deps: Deps,
  input: Step,
  got: { key: string; size: number; sha256: string },
): Promise<FileRow | null> {
  return deps.db.transaction().execute(async (trx) => {
    await lockFile(trx, input);
    const same = await findSameBytes(trx, { owner: input.owner, source_type: input.source, sha256: got.sha256 });
    if (same && same.file_id !== input.file_id) return same;
    await patchFile(trx, input, { sha256: got.sha256, size_bytes: got.size, object_key: got.key });
    return null;
  });
}
