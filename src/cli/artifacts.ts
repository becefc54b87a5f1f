/** Downloads what a run made: each file whole and checked, or not at all. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { z } from 'zod';
import type { ArtifactView } from '../schema/pipeline-views.ts';
import type { Api } from './api.ts';
import { connectionError } from './connection.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

export type Artifact = z.output<typeof ArtifactView>;

/**
 * Puts the artifact below `folder`, under its own name. False: it is there already, byte for byte. Throws CliError:
 * a name that leads out of the folder (1), bytes that are not those announced (1), a folder that cannot be written (2).
 */
export async function downloadArtifact(
  api: Api,
  artifact: Artifact,
  options: { folder: string; signal: AbortSignal },
): Promise<{ path: string; fetched: boolean }> {
  const path = placeBelow(options.folder, artifact.name);
  if ((await hashOf(path)) === artifact.sha256) return { path, fetched: false };
  const unfinished = join(dirname(path), `.${randomUUID()}.part`);
  try {
    await mkdir(dirname(path), { recursive: true });
    await fetchTo(api, artifact, unfinished, options.signal);
    await rename(unfinished, path);
    return { path, fetched: true };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (
      error instanceof CliError ||
      options.signal.aborted ||
      code === undefined ||
      !('syscall' in (error as object))
    ) {
      throw error;
    }
    throw new CliError(EXIT.usage, `${path}: ${message}`);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** Names come from the API, so none may lead anywhere else. */
export function placeBelow(folder: string, name: string): string {
  const root = resolve(folder);
  const path = resolve(root, name);
  const inside = relative(root, path);
  const odd = name.includes('\0') || name.includes('\\') || inside === '' || inside.split(sep)[0] === '..';
  if (odd || isAbsolute(inside)) {
    throw new CliError(EXIT.failed, `${name}: an artifact of this name cannot be stored below ${folder}`);
  }
  return path;
}

async function fetchTo(api: Api, artifact: Artifact, path: string, signal: AbortSignal): Promise<void> {
  const { body } = await api.open(artifact.links.download, { headers: { accept: '*/*' }, signal });
  const hash = createHash('sha256');
  const file = await open(path, 'wx');
  try {
    let size = 0;
    const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw connectionError(error, api.url);
      });
      if (next.done) break;
      size += next.value.length;
      hash.update(next.value);
      await file.writeFile(next.value);
    }
    if (size !== artifact.bytes || hash.digest('hex') !== artifact.sha256) {
      throw new CliError(EXIT.failed, `${artifact.name}: what came is not what was announced`, { hint: 'Try again.' });
    }
  } finally {
    await file.close();
  }
}

/** Hex of the file's SHA-256; null when there is none that can be read. */
async function hashOf(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    return hash.digest('hex');
  } catch {
    return null;
  }
}
