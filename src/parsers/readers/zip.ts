/** ZIP archives: one checked pass over the central directory, then any entry as a stream of unpacked bytes. */
import { EventEmitter } from 'node:events';
import yauzl from 'yauzl';
import { Failure } from '../../schema/failures.ts';
import type { ParseLimits, RandomAccess } from '../contract.ts';
import { readAhead } from './access.ts';
import { unpack } from './unpack.ts';
import { checkEntry, checkName, isClutter } from './zip-checks.ts';

/** Entries worth reading, in the order of the archive's directory. Arrays of numbers, for archives of a million. */
export interface ZipArchive {
  names: readonly string[];
  /** Unpacked size by entry. The stream of an entry has exactly so many bytes or throws. */
  sizes: readonly number[];
  /** Names that are files of the archive but that `keep` did not want. */
  others: number;
  /**
   * Unpacked bytes of one entry from `offset` on. Bytes before it are inflated and dropped.
   * Throws Failure: `truncated_file`, `archive_bomb` (unpacks to more than it says), `malformed` (damaged),
   * `encrypted_archive`.
   */
  open(index: number, offset?: number): AsyncIterable<Buffer>;
}

/**
 * Reads the directory and refuses what is unsafe: `encrypted_archive`, `unsafe_path`, `archive_bomb`,
 * `truncated_file`, `malformed`. Folders, Finder clutter and entries that `keep` does not want are left out.
 *
 * A name that occurs twice is allowed and both entries are read: nothing is ever written under an entry's name, so
 * the second cannot replace or hide the first, and records that both hold meet by their id.
 */
export async function openZip(
  access: RandomAccess,
  limits: ParseLimits,
  keep: (name: string) => boolean,
): Promise<ZipArchive> {
  const names: string[] = [];
  const sizes: number[] = [];
  const packed: number[] = [];
  const offsets: number[] = [];
  const methods: number[] = [];
  const checksums: number[] = [];
  const window = readAhead(access);
  const zip = await directory(access, window);
  let others = 0;
  let packedTotal = 0;
  let unpackedTotal = 0;
  if (zip.entryCount > limits.max_entries) {
    throw new Failure('archive_bomb', `The archive has ${zip.entryCount} entries; ${limits.max_entries} are allowed.`);
  }
  try {
    for await (const entry of zip.eachEntry()) {
      const name = checkName(entry);
      checkEntry(entry, name, limits);
      packedTotal += entry.compressedSize;
      unpackedTotal += entry.uncompressedSize;
      if (unpackedTotal > limits.max_unpacked_bytes) {
        throw new Failure('archive_bomb', `The archive unpacks to over ${limits.max_unpacked_bytes} bytes.`);
      }
      // Entries that share their packed bytes make a bomb that no single ratio shows.
      if (packedTotal > access.size) {
        const past = entry.relativeOffsetOfLocalHeader + entry.compressedSize > access.size;
        if (past) throw new Failure('truncated_file', `The archive ends before its entry ${name} does.`);
        throw new Failure('archive_bomb', "The archive's entries overlap.");
      }
      if (name.endsWith('/') || isClutter(name)) continue;
      if (entry.relativeOffsetOfLocalHeader + 30 + entry.compressedSize > access.size) {
        throw new Failure('truncated_file', `The archive ends before its entry ${name} does.`);
      }
      if (!keep(name)) {
        others += 1;
        continue;
      }
      names.push(name);
      sizes.push(entry.uncompressedSize);
      packed.push(entry.compressedSize);
      offsets.push(entry.relativeOffsetOfLocalHeader);
      methods.push(entry.compressionMethod);
      checksums.push(entry.crc32);
    }
  } catch (error) {
    throw asFailure(error);
  }

  return {
    names,
    sizes,
    others,
    open(index, offset = 0) {
      const name = names[index];
      if (name === undefined) throw new Error(`no entry ${index}`);
      return unpack(access, window, {
        name,
        size: sizes[index] ?? 0,
        packed: packed[index] ?? 0,
        header: offsets[index] ?? 0,
        method: methods[index] ?? 0,
        crc: checksums[index] ?? 0,
        skip: offset,
      });
    },
  };
}

/** yauzl over our window: reads at hand are answered without a turn of the event loop. */
async function directory(access: RandomAccess, window: ReturnType<typeof readAhead>): Promise<yauzl.ZipFile> {
  const reader = Object.assign(new EventEmitter(), {
    ref() {},
    unref() {},
    read(
      target: Buffer,
      at: number,
      length: number,
      position: number,
      done: (error: unknown, read?: number) => void,
    ): void {
      const held = window.peek(position, length);
      if (held !== null) done(null, held.copy(target, at));
      else {
        window.read(position, length).then(
          (bytes) => done(null, bytes.copy(target, at)),
          (error) => done(new AccessError(error)),
        );
      }
    },
  });
  try {
    // Names are decoded by checkName, which tells a backslash from a slash.
    return await yauzl.fromRandomAccessReaderPromise(reader as unknown as yauzl.RandomAccessReader, access.size, {
      autoClose: false,
      decodeStrings: false,
    });
  } catch (error) {
    throw asFailure(error);
  }
}

/** Keeps a fault of the store apart from a fault of the archive: the first can pass, the second cannot. */
class AccessError extends Error {
  constructor(cause: unknown) {
    super('the store could not be read', { cause });
  }
}

function asFailure(error: unknown): unknown {
  if (error instanceof AccessError) return error.cause;
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/strong encryption/.test(message)) {
    return new Failure('encrypted_archive', 'The archive is encrypted; upload it without a password.');
  }
  if (/size mismatch/.test(message)) {
    return new Failure('malformed', 'The archive lies about the size of an entry.');
  }
  if (/multi-disk/.test(message)) return new Failure('malformed', 'The archive is one part of several.');
  if (
    /End of central directory|unexpected EOF|invalid central directory|invalid zip64|Invalid comment/i.test(message)
  ) {
    return new Failure('truncated_file', 'The archive is cut off or damaged: its directory cannot be read.');
  }
  return new Failure('malformed', "The archive's directory cannot be read.");
}
