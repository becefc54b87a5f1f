/** The unpacked bytes of one archive entry, checked against the size and checksum that the directory names. */
import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import { Failure } from '../../schema/failures.ts';
import type { RandomAccess } from '../contract.ts';
import type { Window } from './access.ts';

const LOCAL_HEADER = 0x04034b50;
const HEADER_BYTES = 30;
const STORED = 0;
const CHUNK_BYTES = 256 * 1024;
/** Entries up to this size are unpacked in one call: a stream each would cost more than the work. */
const SMALL_BYTES = 1024 * 1024;

export interface PackedEntry {
  name: string;
  /** Unpacked bytes. */
  size: number;
  /** Packed bytes. */
  packed: number;
  /** Offset of the local header. */
  header: number;
  method: number;
  crc: number;
  /** Unpacked bytes to leave out at the beginning. */
  skip: number;
}

/** Throws Failure: `truncated_file`, `archive_bomb`, `malformed`, `encrypted_archive`. Faults of the store pass through. */
export async function* unpack(access: RandomAccess, window: Window, entry: PackedEntry): AsyncGenerator<Buffer> {
  const head = await window.read(entry.header, HEADER_BYTES);
  if (head.length < HEADER_BYTES) throw truncated(entry);
  if (head.readUInt32LE(0) !== LOCAL_HEADER) throw damaged(entry);
  if ((head.readUInt16LE(6) & 1) !== 0) {
    throw new Failure('encrypted_archive', `${entry.name} is encrypted; upload it without a password.`);
  }
  const start = entry.header + HEADER_BYTES + head.readUInt16LE(26) + head.readUInt16LE(28);
  if (start + entry.packed > access.size) throw truncated(entry);
  const bytes =
    entry.packed <= SMALL_BYTES && entry.size <= SMALL_BYTES
      ? whole(entry, await window.read(start, entry.packed))
      : inflated(entry, access.stream(start, entry.packed));
  let done = 0;
  let crc = 0;
  for await (const chunk of bytes) {
    const before = done;
    done += chunk.length;
    if (done > entry.size) throw tooLong(entry);
    crc = crc32(chunk, crc);
    if (done > entry.skip) yield before >= entry.skip ? chunk : chunk.subarray(entry.skip - before);
  }
  if (done < entry.size) throw damaged(entry);
  if (crc !== entry.crc) throw damaged(entry);
}

function* whole(entry: PackedEntry, packed: Buffer): Generator<Buffer> {
  if (packed.length < entry.packed) throw truncated(entry);
  if (entry.method === STORED) {
    yield packed;
    return;
  }
  try {
    yield inflateRawSync(packed, { maxOutputLength: entry.size + 1 });
  } catch (error) {
    throw (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? tooLong(entry) : damaged(entry);
  }
}

async function* inflated(entry: PackedEntry, packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (entry.method === STORED) {
    yield* packed;
    return;
  }
  const inflate = createInflateRaw({ chunkSize: CHUNK_BYTES });
  let fault: unknown;
  // The error reaches the loop below through `inflate`, which the pipeline destroys with it.
  pipeline(Readable.from(packed), inflate, () => {});
  try {
    for await (const chunk of inflate) yield chunk as Buffer;
  } catch (error) {
    fault = error;
  } finally {
    inflate.destroy();
  }
  if (fault === undefined) return;
  const code = (fault as { code?: string }).code ?? '';
  throw code.startsWith('Z_') ? damaged(entry) : fault;
}

function truncated(entry: PackedEntry): Failure {
  return new Failure('truncated_file', `The archive ends before its entry ${entry.name} does.`);
}

function tooLong(entry: PackedEntry): Failure {
  return new Failure('archive_bomb', `${entry.name} unpacks to more than the archive says.`);
}

function damaged(entry: PackedEntry): Failure {
  return new Failure('malformed', `${entry.name} is damaged inside the archive.`);
}
