/** The folder of one job: objects come in as files, what the engine wrote goes out as objects, and nothing stays. */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Deps } from '../../deps.ts';

export interface Workspace {
  folder: string;
  /** A file with the object's bytes: the store's own where it has one, else a copy. Throws Failure('not_found'). */
  bring(key: string): Promise<string>;
  /** Writes a stream to a file of the job. */
  save(name: string, body: AsyncIterable<Uint8Array>): Promise<string>;
  remove(): Promise<void>;
}

type WorkspaceDeps = Pick<Deps, 'objects'> & { config: Pick<Deps['config'], 'dataDir'> };

const parentFolder = (deps: WorkspaceDeps) => join(deps.config.dataDir, 'tmp', 'stages');
const ownPrefix = () => `${hostname()}-${process.pid}-`;

export async function createWorkspace(deps: WorkspaceDeps, signal: AbortSignal): Promise<Workspace> {
  const folder = join(parentFolder(deps), `${ownPrefix()}${randomUUID()}`);
  await mkdir(join(folder, 'in'), { recursive: true });
  await mkdir(join(folder, 'out'), { recursive: true });
  const brought = new Map<string, Promise<string>>();
  let saved = 0;

  async function save(name: string, body: AsyncIterable<Uint8Array>): Promise<string> {
    saved += 1;
    const file = join(folder, 'in', `${saved}-${name}`);
    await pipeline(Readable.from(body), createWriteStream(file), { signal });
    return file;
  }

  return {
    folder,
    bring: (key) => {
      const known = brought.get(key);
      if (known) return known;
      const file = deps.objects
        .localFile(key)
        .then(async (local) => local ?? save(key.split('/').at(-1) ?? 'object', await deps.objects.get(key)));
      brought.set(key, file);
      return file;
    },
    save,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Removes what jobs of ended processes of this machine left behind; resolves with how many. */
export async function sweepWorkspaces(deps: WorkspaceDeps): Promise<number> {
  const parent = parentFolder(deps);
  const found = await readdir(parent).catch(() => []);
  let swept = 0;
  for (const entry of found) {
    if (!entry.startsWith(`${hostname()}-`)) continue;
    const pid = Number(entry.slice(hostname().length + 1).split('-')[0]);
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    await rm(join(parent, entry), { recursive: true, force: true });
    swept += 1;
  }
  return swept;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
