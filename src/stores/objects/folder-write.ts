/** Writing files so that a power cut does not take them back. */
import { type FileHandle, open } from 'node:fs/promises';

/** Writes a new file whole and makes it durable; resolves with its size. */
export async function writeAll(file: string, body: AsyncIterable<Uint8Array> | Uint8Array): Promise<number> {
  const handle = await open(file, 'wx', 0o600);
  try {
    let size = 0;
    if (body instanceof Uint8Array) size = await writeChunk(handle, body);
    else for await (const chunk of body) size += await writeChunk(handle, chunk);
    await handle.sync();
    return size;
  } finally {
    await handle.close();
  }
}

async function writeChunk(handle: FileHandle, chunk: Uint8Array): Promise<number> {
  for (let written = 0; written < chunk.byteLength; ) {
    written += (await handle.write(chunk, written, chunk.byteLength - written)).bytesWritten;
  }
  return chunk.byteLength;
}

/** Makes a file that somebody else wrote durable; resolves with its size. */
export async function syncFile(file: string): Promise<number> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

/** Without this a power cut may forget the rename. Not every platform can open a folder; there it is left out. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null);
  if (!handle) return;
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}
