/** Archives written as a stream, with constant memory and fixed times. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import yazl from 'yazl';

export interface ZipEntry {
  name: string;
  /** Called when the entry's turn has come. */
  content(): Iterable<string>;
}

/** Written as the DOS form alone, which knows no zone: the same bytes everywhere. */
const MTIME = new Date(2026, 3, 1);

/** Entries are produced one after the other, each only when the reader has taken what came before. */
export async function* zipStream(entries: Iterable<ZipEntry>, compress = true): AsyncIterable<Uint8Array> {
  const zip = new yazl.ZipFile();
  const failed = once(zip, 'error').then(([error]) => {
    throw error;
  });
  failed.catch(() => {});
  for (const entry of entries) {
    zip.addReadStreamLazy(entry.name, { mtime: MTIME, forceDosTimestamp: true, compress }, (done) => {
      done(null, Readable.from(bytes(entry.content()), { objectMode: false }));
    });
  }
  zip.end();
  for await (const chunk of zip.outputStream) yield chunk as Buffer;
}

function* bytes(texts: Iterable<string>): Iterable<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}
