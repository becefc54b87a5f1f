/** A form with one file as a stream of bytes: nothing of the file is ever held beyond the chunk on its way. */
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';

export interface FormFile {
  path: string;
  /** The name it goes by; may differ from its name on disk. */
  name: string;
  /** Bytes of a regular file; null for a pipe, whose end nobody knows. */
  size: number | null;
}

export interface StreamedForm {
  headers: Record<string, string>;
  body: AsyncIterable<Uint8Array>;
}

const CHUNK_BYTES = 256 * 1024;

/**
 * The fields, then the file, so that the receiver knows what comes before it comes. `onSent` hears how many bytes of
 * the file were handed over, from 0 on once the connection stands. A file that grows meanwhile is sent up to its size; one that shrinks breaks the request.
 */
export function streamForm(
  fields: Record<string, string>,
  file: FormFile,
  onSent: (bytes: number) => void,
): StreamedForm {
  const boundary = `ostinato-${randomBytes(18).toString('hex')}`;
  const head = Buffer.from(
    Object.entries(fields)
      .map(([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
      .join('') +
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${escapeName(file.name)}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  async function* body(): AsyncGenerator<Uint8Array> {
    onSent(0);
    yield head;
    if (file.size !== 0) {
      const range = file.size === null ? {} : { end: file.size - 1 };
      let sent = 0;
      for await (const chunk of createReadStream(file.path, { highWaterMark: CHUNK_BYTES, ...range })) {
        yield chunk as Buffer;
        sent += (chunk as Buffer).length;
        onSent(sent);
      }
    }
    yield tail;
  }
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      ...(file.size === null ? {} : { 'content-length': String(head.length + file.size + tail.length) }),
    },
    body: body(),
  };
}

/** As browsers do it: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data */
function escapeName(name: string): string {
  return name.replace(/["\r\n]/g, (char) => encodeURIComponent(char));
}
