/** Forms with one file: the file streams on while the fields around it are collected, in whatever order they come. */
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import busboy from 'busboy';
import type { Upload } from '../operations/contract.ts';
import { Failure } from '../schema/failures.ts';
import type { ApiContext } from './context.ts';

/** What the fields of a form may add up to on top of the file. */
const FIELD_BYTES = 64 * 1024;
const MAX_FIELDS = 50;
const FORM_OVERHEAD = FIELD_BYTES * MAX_FIELDS;

export interface ReceivedForm {
  /** The fields that stood before the file. */
  fields: Record<string, string>;
  upload: Upload;
  /** Lets go of a body that nobody reads on, so that the rest of it is neither parsed nor kept. */
  discard(): void;
}

/**
 * Resolves as soon as the file part begins; the rest arrives while `upload.body` is read. Throws Failure 415, 413 or
 * 400: not a form, announced too large, no part `file`.
 */
export async function receiveForm(c: ApiContext, maxBytes: number): Promise<ReceivedForm> {
  const type = c.req.header('content-type') ?? '';
  if (!/^multipart\/form-data\s*;/i.test(type)) {
    throw new Failure('unsupported_type', 'Content-Type must be multipart/form-data with a boundary');
  }
  if (Number(c.req.header('content-length') ?? 0) > maxBytes + FORM_OVERHEAD) throw tooLarge(maxBytes);
  const parser = createParser(type);
  const source = bodyOf(c);
  const fields = new Map<string, string>();
  const { promise: begun, resolve: begin, reject: refuse } = Promise.withResolvers<ReceivedForm>();
  const { promise: ended, resolve: end, reject: breakOff } = Promise.withResolvers<void>();
  // Nobody may be waiting for it yet, or ever.
  ended.catch(() => {});
  let file: Readable | undefined;
  let failure: Failure | undefined;

  function fail(reason: Failure): void {
    if (failure) return;
    failure = reason;
    refuse(reason);
    breakOff(reason);
    // The source stays whole: the answer still has to go out over its socket.
    source.unpipe(parser);
    file?.destroy(reason);
    parser.destroy();
  }

  parser.on('field', (name, value, info) => {
    if (info.valueTruncated) fail(invalid(name, `is over ${FIELD_BYTES} bytes`));
    else fields.set(name, value);
  });
  parser.on('file', (name, stream, info) => {
    file = stream;
    stream.on('error', () => {});
    if (name !== 'file') return fail(invalid(name || '(unnamed)', 'the file must be in the field `file`'));
    begin({
      fields: Object.fromEntries(fields),
      upload: {
        filename: safeName(info.filename),
        body: readFile(stream, maxBytes, {
          failed: () => failure,
          abandon: () => source.unpipe(parser),
        }),
        fields: async () => {
          await ended;
          return Object.fromEntries(fields);
        },
      },
      discard: () => {
        if (!parser.writableFinished) fail(broken());
      },
    });
  });
  parser.on('filesLimit', () => fail(invalid('file', 'one file per request')));
  parser.on('fieldsLimit', () => fail(invalid('(form)', `at most ${MAX_FIELDS} fields`)));
  parser.on('partsLimit', () => fail(invalid('(form)', 'too many parts')));
  parser.on('error', (error) => fail(fromParser(error as Error)));
  parser.on('close', () => {
    if (!file) fail(invalid('file', 'is missing'));
    end();
  });
  source.on('error', () => fail(broken()));
  source.on('close', () => {
    if (!source.readableEnded) fail(broken());
  });
  source.pipe(parser);
  return begun;
}

function createParser(type: string): busboy.Busboy {
  try {
    return busboy({
      headers: { 'content-type': type },
      limits: { fields: MAX_FIELDS, fieldSize: FIELD_BYTES, files: 1, parts: MAX_FIELDS + 2, headerPairs: 20 },
      defParamCharset: 'utf8',
    });
  } catch {
    throw new Failure('unsupported_type', 'Content-Type must be multipart/form-data with a boundary');
  }
}

/** The socket itself where there is one: a copy through a web stream costs half of the throughput. */
function bodyOf(c: ApiContext): Readable {
  const incoming = c.env?.incoming;
  if (incoming instanceof Readable) return incoming;
  const body = c.req.raw.body;
  return body === null ? Readable.from([]) : Readable.fromWeb(body as WebStream);
}

async function* readFile(
  file: Readable,
  maxBytes: number,
  form: { failed(): Failure | undefined; abandon(): void },
): AsyncGenerator<Uint8Array> {
  let size = 0;
  let complete = false;
  try {
    for await (const chunk of file as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
    complete = true;
  } catch (error) {
    throw error instanceof Failure ? error : (form.failed() ?? broken(error));
  } finally {
    // Half-read, the parser would hold the request for ever.
    if (!complete) form.abandon();
  }
}

/** Keeps what a person would recognise; no path, no control characters. */
function safeName(name: string | undefined): string {
  const cleaned = (name ?? '').replace(/[\p{Cc}/\\]/gu, '').trim();
  return [...cleaned].slice(0, 255).join('') || 'upload';
}

function fromParser(error: Error): Failure {
  if (/unexpected end/i.test(error.message)) return broken(error);
  return new Failure('invalid_input', `Malformed form: ${error.message}`, { cause: error });
}

function invalid(path: string, message: string): Failure {
  return new Failure('invalid_input', `${path}: ${message}`, { faults: [{ path, message }] });
}

function broken(cause?: unknown): Failure {
  return new Failure('upload_broken', 'The upload ended before it was complete', { cause });
}

function tooLarge(maxBytes: number): Failure {
  return new Failure('payload_too_large', `The file is over ${maxBytes} bytes (MAX_UPLOAD_BYTES)`);
}
