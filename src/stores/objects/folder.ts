/** Objects as files below one folder: an object appears by a rename, so it is whole or absent. */
import { randomUUID } from 'node:crypto';
import { constants, createReadStream, mkdirSync, realpathSync } from 'node:fs';
import { access, lstat, mkdir, open, readdir, realpath, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { Failure } from '../../schema/failures.ts';
import type { ObjectStore } from '../contract.ts';
import { syncFile, syncFolder, writeAll } from './folder-write.ts';
import { checkBucket, checkPrefix, checkRange, keyParts, missing } from './keys.ts';

const READ_CHUNK = 256 * 1024;
/** A neighbour's delete may remove a folder that just became empty; trying again makes it anew. */
const RENAME_TRIES = 20;

/**
 * Opens (and creates) `root/bucket`. Unfinished puts live in `root/.tmp/bucket`, on the same file system.
 * Links are never followed out of the folder: a key that leads through one throws Failure('forbidden').
 */
export function folderStore(options: { root: string; bucket: string }): ObjectStore {
  checkBucket(options.bucket);
  const root = resolve(options.root);
  mkdirSync(join(root, options.bucket), { recursive: true });
  mkdirSync(join(root, '.tmp', options.bucket), { recursive: true });
  const base = realpathSync(join(root, options.bucket));
  const unfinished = realpathSync(join(root, '.tmp', options.bucket));

  /** The file of a key whose folder is really below the base; null when the folder does not exist. */
  async function locate(key: string): Promise<string | null> {
    const file = join(base, ...keyParts(key));
    const folder = dirname(file);
    try {
      if ((await realpath(folder)) === folder) return file;
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
    throw new Failure('forbidden', `Object ${key} leads through a link`);
  }

  /** Puts the finished file `from` in the place of `key`, folders included, and makes the name durable. */
  async function place(from: string, key: string): Promise<void> {
    const target = join(base, ...keyParts(key));
    for (let attempt = 1; ; attempt += 1) {
      try {
        await makeFolders(base, keyParts(key).slice(0, -1));
        if ((await locate(key)) !== null) {
          await rename(from, target);
          await syncFolder(dirname(target));
          return;
        }
      } catch (error) {
        if (hasCode(error, 'EEXIST', 'ENOTDIR', 'EISDIR')) {
          throw new Failure('conflict', `Object ${key} has the name of a folder or lies below an object`, {
            cause: error,
          });
        }
        if (!isAbsent(error) || (await lstatOrNull(from)) === null) throw error;
      }
      if (attempt === RENAME_TRIES) throw new Failure('unavailable', `Object ${key} could not be stored`);
    }
  }

  async function lstatObject(key: string) {
    const file = await locate(key);
    const found = file === null ? null : await lstatOrNull(file);
    if (found?.isSymbolicLink()) throw new Failure('forbidden', `Object ${key} is a link`);
    return file !== null && found?.isFile() ? { file, size: found.size, modified: found.mtime } : null;
  }

  /** Removes folders that became empty, up to the base; stops at the first that is in use. */
  async function prune(folder: string): Promise<void> {
    for (let at = folder; at !== base && at.startsWith(base + sep); at = dirname(at)) {
      try {
        await rmdir(at);
      } catch {
        return;
      }
    }
  }

  async function* walk(folder: string, keyPrefix: string, wanted: string): AsyncGenerator<string> {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
      if (isAbsent(error)) return [];
      throw error;
    });
    // A folder sorts as its name with the slash: keys come out in the byte order that S3 lists them in.
    const named = entries.map((entry) => ({ name: entry.isDirectory() ? `${entry.name}/` : entry.name, entry }));
    named.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const { name, entry } of named) {
      const key = keyPrefix + name;
      if (entry.isDirectory()) {
        if (key.startsWith(wanted) || wanted.startsWith(key)) yield* walk(join(folder, entry.name), key, wanted);
      } else if (entry.isFile() && key.startsWith(wanted)) {
        yield key;
      }
    }
  }

  const store: ObjectStore = {
    kind: 'folder',
    otherBucket: () => null,
    bucket: options.bucket,

    async ping() {
      await access(base, constants.R_OK | constants.W_OK | constants.X_OK);
    },

    async put(key, body) {
      keyParts(key);
      const temporary = join(unfinished, randomUUID());
      try {
        const size = await writeAll(temporary, body);
        await place(temporary, key);
        return { size };
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },

    async putFile(key, file) {
      keyParts(key);
      const size = await syncFile(file);
      try {
        await place(file, key);
      } catch (error) {
        if (!hasCode(error, 'EXDEV')) throw error;
        await store.put(key, createReadStream(file));
        await rm(file, { force: true });
      }
      return { size };
    },

    async localFile(key) {
      const found = await lstatObject(key);
      if (!found) throw missing(key);
      return found.file;
    },

    async get(key, range) {
      if (range) checkRange(range);
      const found = await lstatObject(key);
      if (!found) throw missing(key);
      return read(found.file, key, range);
    },

    async stat(key) {
      const found = await lstatObject(key);
      return found && { size: found.size, modified: found.modified };
    },

    async delete(key) {
      const file = await locate(key);
      if (file === null || !(await lstatOrNull(file)) || (await lstatOrNull(file))?.isDirectory()) return;
      await rm(file, { force: true });
      await prune(dirname(file));
    },

    async deletePrefix(prefix) {
      checkPrefix(prefix);
      let deleted = 0;
      for await (const key of walk(base, '', prefix)) {
        await store.delete(key);
        deleted += 1;
      }
      return deleted;
    },

    async *list(prefix) {
      checkPrefix(prefix);
      for await (const key of walk(base, '', prefix)) {
        const found = await store.stat(key);
        if (found) yield { key, ...found };
      }
    },

    async move(from, to) {
      keyParts(to);
      const found = await lstatObject(from);
      if (!found) throw missing(from);
      if (from === to) return;
      await place(found.file, to);
      await prune(dirname(found.file));
    },

    /** Begun is read as last written to: a slow put that still goes on is left alone. */
    async sweepUnfinished(before) {
      let swept = 0;
      for (const name of await readdir(unfinished)) {
        const file = join(unfinished, name);
        const found = await stat(file).catch(() => null);
        if (!found || found.mtime >= before) continue;
        await rm(file, { force: true });
        swept += 1;
      }
      return swept;
    },

    async close() {},
  };
  return store;
}

/** Makes the folders one by one: `mkdir -p` would walk through a link and create folders outside. */
async function makeFolders(base: string, parts: string[]): Promise<void> {
  let at = base;
  for (const part of parts) {
    at = join(at, part);
    try {
      await mkdir(at);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      const found = await lstatOrNull(at);
      if (found?.isSymbolicLink()) throw new Failure('forbidden', 'An object key leads through a link');
      if (found && !found.isDirectory()) throw error;
    }
  }
}

/** Opened only when read, so that a stream nobody reads holds no file open. Never follows a link. */
async function* read(file: string, key: string, range?: { start: number; end: number }): AsyncGenerator<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error) => {
    throw isAbsent(error) ? missing(key) : error;
  });
  try {
    let position = range?.start ?? 0;
    const end = range?.end ?? Number.MAX_SAFE_INTEGER;
    while (position < end) {
      const wanted = Math.min(READ_CHUNK, end - position);
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function lstatOrNull(file: string) {
  return lstat(file).catch((error) => {
    if (isAbsent(error)) return null;
    throw error;
  });
}

/** An object in the place of a folder (`a` beside `a/b`) makes the deeper key absent, not broken. */
function isAbsent(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ENOTDIR');
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
