/**
 * CSV as a stream of rows: an own byte scanner, because it must name the byte and line of every record, go on at any
 * of them, bound a record before it is held, and survive a bad one.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import type { FailureCode } from '../../schema/failures.ts';
import type { ParseLimits, SourceParser } from '../contract.ts';
import { type CsvDialect, decode1252, dialectOf, fieldsOf, headersOf } from './csv-row.ts';
import type { EntryBytes, From, Item } from './item.ts';
import { headOf } from './upload.ts';

const QUOTE = 0x22;
const RETURN = 0x0d;
const MAX_COLUMNS = 10_000;

const FIELD_START = 0;
const PLAIN = 1;
const QUOTED = 2;
const QUOTE_IN_QUOTED = 3;

interface RawRecord {
  /** Without its terminator; null when it is over the limit. */
  bytes: Buffer | null;
  /** Whether `bytes` are known to be ASCII. */
  ascii: boolean;
  start: number;
  end: number;
  line: number;
  endLine: number;
  /** The text ended inside quotes. */
  open: boolean;
}

/**
 * Items of one entry from `from` on, which is its beginning or the `end` of an item. The first record that is not
 * blank holds the headers. Rows of another length are bad, except for empty fields too many. Faults of `bytes` pass.
 */
export async function* readCsv(
  bytes: EntryBytes,
  options: { limits: ParseLimits; from: From; isFooter?: SourceParser['isFooter'] },
): AsyncGenerator<Item[]> {
  const { limits, from } = options;
  const head = await headOf(bytes);
  const dialect = dialectOf(head);
  const delimiter = String.fromCharCode(dialect.delimiter);
  let headers: string[] | null = null;

  function read(record: RawRecord): Item | null {
    const { line, end, endLine } = record;
    const bad = (code: FailureCode, message: string): Item => ({ kind: 'bad', line, end, endLine, code, message });
    if (record.bytes === null) return bad('record_too_large', `over ${limits.max_record_bytes} bytes`);
    if (record.open) return bad('truncated_file', 'the text ends inside quotes');
    const text = decode(record.bytes, record.ascii, dialect);
    if (text === null) return bad('invalid_encoding', 'not valid UTF-8');
    if (text.includes('\0')) return bad('malformed', 'holds a NUL character');
    if (text.length < 64 && text.trim() === '') return null;
    const fields = fieldsOf(text, delimiter);
    if (fields === null) return bad('malformed', 'text stands behind a closing quote');
    if (headers === null) {
      if (fields.length > MAX_COLUMNS) return bad('malformed', `over ${MAX_COLUMNS} columns`);
      headers = headersOf(fields);
      return null;
    }
    // Spreadsheets leave such rows at the end.
    if (text.startsWith(delimiter) && fields.every((field) => field === '')) return null;
    const extra = fields.length - headers.length;
    if (fields.length === 1 && extra < 0 && options.isFooter?.(fields[0] as string, headers)) return null;
    if (extra < 0 || (extra > 0 && fields.slice(headers.length).some((field) => field !== ''))) {
      return bad('malformed', `has ${fields.length} columns where the header has ${headers.length}`);
    }
    const row: Record<string, string> = {};
    for (let index = 0; index < headers.length; index += 1) {
      const name = headers[index] as string;
      if (name === '__proto__') continue;
      row[name] = fields[index] as string;
    }
    return { kind: 'row', line, end, endLine, row, headers };
  }

  if (from.offset > 0) {
    // The headers again, and nothing else; a header that was bad stays so and the next one counts, as the first time.
    search: for await (const records of readRecords(bytes.open(0), dialect, limits, { offset: 0, line: 1 })) {
      for (const record of records) {
        read(record);
        if (headers !== null || record.end >= from.offset) break search;
      }
    }
  }
  for await (const records of readRecords(bytes.open(from.offset), dialect, limits, from)) {
    const items: Item[] = [];
    for (const record of records) {
      const item = read(record);
      if (item !== null) items.push(item);
    }
    if (items.length > 0) yield items;
  }
}

/** Cuts bytes into records at terminators outside quotes. A quote opens only at the start of a field. */
async function* readRecords(
  chunks: AsyncIterable<Buffer>,
  dialect: CsvDialect,
  limits: ParseLimits,
  from: From,
): AsyncGenerator<RawRecord[]> {
  const { delimiter, terminator } = dialect;
  let base = from.offset;
  let state = FIELD_START;
  let start = from.offset;
  let startLine = from.line;
  let line = from.line;
  let pending: Buffer[] = [];
  let pendingBytes = 0;

  function cut(chunk: Buffer, begin: number, end: number, ascii: boolean, next: number, open: boolean): RawRecord {
    const size = pendingBytes + end - begin;
    let bytes: Buffer | null = null;
    if (size <= limits.max_record_bytes) {
      bytes =
        pending.length === 0 ? chunk.subarray(begin, end) : Buffer.concat([...pending, chunk.subarray(begin, end)]);
      if (bytes[bytes.length - 1] === RETURN) bytes = bytes.subarray(0, -1);
      if (start === 0) bytes = bytes.subarray(dialect.mark);
    }
    const record = {
      bytes,
      ascii: ascii && pendingBytes === 0,
      start,
      end: next,
      line: startLine,
      endLine: line,
      open,
    };
    pending = [];
    pendingBytes = 0;
    start = next;
    startLine = line;
    state = FIELD_START;
    return record;
  }

  for await (const chunk of chunks) {
    const records: RawRecord[] = [];
    const ascii = isAscii(chunk);
    const length = chunk.length;
    let begin = 0;
    // The byte order mark must not hide a quote that opens the first field.
    let at = Math.max(0, dialect.mark - base);
    while (at < length) {
      if (state === QUOTED) {
        while (at < length && chunk[at] !== QUOTE) {
          if (chunk[at] === terminator) line += 1;
          at += 1;
        }
        if (at < length) state = QUOTE_IN_QUOTED;
        at += 1;
        continue;
      }
      const byte = chunk[at];
      at += 1;
      if (byte === terminator) {
        line += 1;
        records.push(cut(chunk, begin, at - 1, ascii, base + at, false));
        begin = at;
      } else if (byte === delimiter) state = FIELD_START;
      else if (byte === QUOTE) state = state === FIELD_START || state === QUOTE_IN_QUOTED ? QUOTED : PLAIN;
      else if (state !== PLAIN) {
        // A carriage return behind a closing quote belongs to the terminator.
        state = PLAIN;
      }
    }
    if (begin < length) {
      const kept = pendingBytes === 0 || pending.length > 0;
      pendingBytes += length - begin;
      if (kept && pendingBytes <= limits.max_record_bytes) pending.push(begin === 0 ? chunk : chunk.subarray(begin));
      else pending = [];
    }
    base += length;
    if (records.length > 0) yield records;
  }
  if (pendingBytes > 0) yield [cut(Buffer.alloc(0), 0, 0, false, base, state === QUOTED)];
}

function decode(bytes: Buffer, ascii: boolean, dialect: CsvDialect): string | null {
  if (ascii || isAscii(bytes)) return bytes.toString('latin1');
  if (isUtf8(bytes)) return bytes.toString('utf8');
  return dialect.encoding === 'utf8' ? null : decode1252(bytes);
}
