/** Takes an upload in: streams it to the store while hashing, checks it, admits it. What is refused leaves nothing. */
import { createHash, randomUUID } from 'node:crypto';
import type { Deps } from '../../deps.ts';
import { inspectUpload } from '../../parsers/inspect.ts';
import { parseLimits } from '../../parsers/limits.ts';
import { objectAccess } from '../../parsers/readers/access.ts';
import { Failure } from '../../schema/failures.ts';
import type { JsonObject } from '../../schema/json.ts';
import type { Source } from '../../schema/names.ts';
import { findFile } from '../../stores/files.ts';
import { newWorkflowId } from '../engine.ts';
import { type Admitted, admitFile } from './admit.ts';

export interface UploadRequest {
  owner: string;
  filename: string;
  body: AsyncIterable<Uint8Array>;
  /** Read after the body has ended. */
  fields(): Promise<{ source_type: Source; metadata: JsonObject }>;
  idempotencyKey: string | null;
}

export async function takeUpload(deps: Deps, request: UploadRequest): Promise<Admitted> {
  const file_id = randomUUID();
  const object_key = `uploads/${file_id}`;
  let admitted: Admitted | undefined;
  let admitting = false;
  try {
    const { size, sha256 } = await store(deps, object_key, request.body);
    const { source_type, metadata } = await request.fields();
    if (size === 0) throw new Failure('empty_file', `${request.filename} is empty`);
    const access = await objectAccess(deps.objects, object_key);
    try {
      await inspectUpload(access, {
        filename: request.filename,
        source: source_type,
        limits: parseLimits(deps.config),
      });
    } finally {
      await access.close();
    }
    admitting = true;
    admitted = await admitFile(deps, {
      file: {
        file_id,
        owner: request.owner,
        workflow_id: newWorkflowId('ingest'),
        filename: request.filename,
        source_type,
        size_bytes: size,
        sha256,
        object_key,
        metadata,
      },
      import: null,
      idempotency:
        request.idempotencyKey === null
          ? null
          : {
              operation: 'files.upload',
              key: request.idempotencyKey,
              body: JSON.stringify([sha256, source_type, request.filename, metadata]),
            },
    });
    return admitted;
  } finally {
    const needed = admitted ? !admitted.duplicate : admitting && (await mayBeAdmitted(deps, file_id));
    if (!needed)
      await deps.objects.delete(object_key).catch((error) => {
        // The sweep finds it: nothing refers to this key.
        deps.log.warn({ err: error, object_key }, 'could not delete a refused upload');
      });
  }
}

/** An admission that threw may have been committed all the same, when only the answer got lost: then its bytes stay. */
async function mayBeAdmitted(deps: Deps, fileId: string): Promise<boolean> {
  // Unknown counts as admitted: what nothing refers to is swept later.
  return findFile(deps.db, fileId).then(
    (row) => row !== undefined,
    () => true,
  );
}

async function store(
  deps: Deps,
  key: string,
  body: AsyncIterable<Uint8Array>,
): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256');
  async function* hashed() {
    for await (const chunk of body) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const { size } = await deps.objects.put(key, hashed());
  return { size, sha256: hash.digest('hex') };
}
