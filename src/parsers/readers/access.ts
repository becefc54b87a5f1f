/** Random access to an upload in a local file, in an object store or in memory. */
import { open } from 'node:fs/promises';
import { Failure } from '../../schema/failures.ts';
import type { ObjectStore } from '../../stores/contract.ts';
import type { RandomAccess } from '../contract.ts';

/** Bytes a chunk of a stream holds: large enough to keep calls rare, small enough to keep memory flat. */
const CHUNK_BYTES = 256 * 1024;
/** Bytes read at once for small reads (an archive's directory, small entries one after another). */
const WINDOW_BYTES = 512 * 1024;

/** A file on this machine. Throws what the file system throws. */
export async function fileAccess(path: string): Promise<RandomAccess> {
  const handle = await open(path, 'r');
  const { size } = await handle.stat();

  async function readExactly(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  return {
    size,
    read: async (offset, length) => readExactly(...clamp(size, offset, length)),
    async *stream(offset, length) {
      const [start, count] = clamp(size, offset, length ?? size);
      const end = start + count;
      const next = (at: number) => readExactly(at, Math.min(CHUNK_BYTES, end - at));
      let position = start;
      // The chunk after the one in work is read meanwhile.
      let ahead = position < end ? next(position) : null;
      while (ahead !== null) {
        const chunk: Buffer = await ahead;
        if (chunk.length === 0) return;
        position += chunk.length;
        ahead = position < end ? next(position) : null;
        // Met by the next turn's await; without this, a consumer that stops here would leave it unhandled.
        ahead?.catch(() => {});
        yield chunk;
      }
    },
    close: () => handle.close(),
  };
}

/** An object of the store. Throws Failure('not_found') when there is none; `close` leaves the store open. */
export async function objectAccess(store: Pick<ObjectStore, 'get' | 'stat'>, key: string): Promise<RandomAccess> {
  const found = await store.stat(key);
  if (found === null) throw new Failure('not_found', 'The uploaded bytes are gone from the object store.');
  const { size } = found;
  return {
    size,
    async read(offset, length) {
      const [start, count] = clamp(size, offset, length);
      if (count === 0) return Buffer.alloc(0);
      const parts: Buffer[] = [];
      for await (const part of await store.get(key, { start, end: start + count })) parts.push(part);
      return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    },
    async *stream(offset, length) {
      const [start, count] = clamp(size, offset, length ?? size);
      if (count > 0) yield* await store.get(key, { start, end: start + count });
    },
    close: async () => {},
  };
}

/** Bytes already in memory. */
export function bufferAccess(bytes: Buffer): RandomAccess {
  return {
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    async *stream(offset, length) {
      const [start, count] = clamp(bytes.length, offset, length ?? bytes.length);
      for (let at = start; at < start + count; at += CHUNK_BYTES) {
        yield bytes.subarray(at, Math.min(start + count, at + CHUNK_BYTES));
      }
    },
    close: async () => {},
  };
}

export interface Window {
  /** The bytes when they are at hand, else null. */
  peek(offset: number, length: number): Buffer | null;
  /** As RandomAccess.read, reading further ahead than asked. */
  read(offset: number, length: number): Promise<Buffer>;
}

/** One window of read-ahead over `access`: neighbouring small reads cost one read of the store. */
export function readAhead(access: RandomAccess, bytes: number = WINDOW_BYTES): Window {
  let start = 0;
  let held: Buffer = Buffer.alloc(0);

  function peek(offset: number, length: number): Buffer | null {
    if (offset < start || offset + length > start + held.length) return null;
    return held.subarray(offset - start, offset - start + length);
  }

  return {
    peek,
    async read(offset, length) {
      const [from, count] = clamp(access.size, offset, length);
      const hit = peek(from, count);
      if (hit !== null) return hit;
      if (count >= bytes) return access.read(from, count);
      const buffer = await access.read(from, Math.min(bytes, access.size - from));
      start = from;
      held = buffer;
      return buffer.subarray(0, count);
    },
  };
}

function clamp(size: number, offset: number, length: number): [start: number, length: number] {
  const start = Math.max(0, Math.min(offset, size));
  return [start, Math.max(0, Math.min(length, size - start))];
}
