/** Sends a file to the API. */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { errors } from 'undici';
import { FileAccepted } from '../schema/files.ts';
import type { Api } from './api.ts';
import { isAbort } from './connection.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { type FormFile, streamForm } from './multipart.ts';
import { formatBytes } from './text.ts';

export interface UploadRequest {
  file: FormFile;
  source: string;
  metadata: Record<string, string>;
}

/** What `path` is as an upload. Throws CliError with exit code 2 when it cannot be one. */
export async function describeFile(path: string, name?: string): Promise<FormFile> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new CliError(EXIT.usage, `${path}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`);
  });
  if (found.isDirectory()) {
    throw new CliError(EXIT.usage, `${path}: is a folder`, { hint: 'Pack it into a ZIP, or name one file in it.' });
  }
  return { path, name: name ?? basename(path), size: found.isFile() ? found.size : null };
}

/**
 * Resolves once the API has taken the file. `onSent` hears the bytes of the file sent so far. Aborting cuts the
 * connection, whereupon the API keeps nothing. Throws CliError.
 */
export async function uploadFile(
  api: Api,
  upload: UploadRequest,
  options: { signal: AbortSignal; onSent(bytes: number): void },
): Promise<FileAccepted> {
  let sent: number | null = null;
  const fields = {
    source_type: upload.source,
    ...(Object.keys(upload.metadata).length > 0 ? { metadata: JSON.stringify(upload.metadata) } : {}),
  };
  const form = streamForm(fields, upload.file, (bytes) => {
    sent = bytes;
    options.onSent(bytes);
  });
  try {
    return await api.send(FileAccepted, '/api/v1/files', { ...form, signal: options.signal });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw toUploadError(error, upload.file, sent);
  }
}

function toUploadError(error: unknown, file: FormFile, sent: number | null): unknown {
  const cause = error instanceof CliError ? error.cause : error;
  if (cause instanceof errors.RequestContentLengthMismatchError) {
    return new CliError(EXIT.failed, `${file.path}: changed while it was read`, {
      hint: 'Try again when it is whole.',
    });
  }
  const path = (cause as { path?: unknown } | undefined)?.path;
  if (path === file.path) return new CliError(EXIT.usage, `${file.path}: ${(cause as Error).message}`);
  if (error instanceof CliError && error.exit === EXIT.unreachable && error.code === undefined && sent !== null) {
    return new CliError(EXIT.unreachable, `${error.message} after ${formatBytes(sent)} of ${file.name}`, {
      hint: 'Nothing was kept. Try again; if it stops at the same place, see MAX_UPLOAD_BYTES of the API.',
      cause: error,
    });
  }
  return error;
}
