/** What bytes are, told by the bytes: names and extensions are only ever a tie-breaker between kinds of JSON. */
import { isUtf8 } from 'node:buffer';
import { Failure } from '../../schema/failures.ts';
import type { EntryFormat, SourceParser } from '../contract.ts';

/** How much of the beginning is looked at. */
export const HEAD_BYTES = 64 * 1024;
export const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

const SIGNATURES: readonly (readonly [string, string | readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['bzip2', 'BZh'],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['7z archive', [0x37, 0x7a, 0xbc, 0xaf]],
  ['RAR archive', 'Rar!'],
  ['Windows program', 'MZ'],
  ['ELF program', [0x7f, 0x45, 0x4c, 0x46]],
  ['PNG image', [0x89, 0x50, 0x4e, 0x47]],
  ['JPEG image', [0xff, 0xd8, 0xff]],
  ['GIF image', 'GIF8'],
  ['old Office document', [0xd0, 0xcf, 0x11, 0xe0]],
  ['SQLite database', 'SQLite format 3'],
  ['Parquet file', 'PAR1'],
  ['script', '#!'],
];
const LABELS: Readonly<Record<Sniffed['kind'], string>> = {
  zip: 'a ZIP archive',
  pdf: 'PDF',
  json: 'JSON',
  ndjson: 'JSON lines',
  csv: 'CSV',
  other: 'something else',
};
const DELIMITERS = [0x2c, 0x3b, 0x09];

export type Sniffed =
  | { kind: 'zip' | EntryFormat }
  /** Not of any format that is read here; `what` names it in a message. */
  | { kind: 'other'; what: string };

/**
 * Tells the type by content. `head` is the beginning of the bytes (HEAD_BYTES or all), `name` is asked only
 * whether a `{…}` is one line of many. Throws Failure: `empty_file`, `malformed` (NUL in text), `invalid_encoding`.
 */
export function sniff(head: Buffer, name: string): Sniffed {
  if (head.length === 0) throw new Failure('empty_file', `${name} is empty.`);
  const signature = head.length >= 4 ? head.readUInt32BE(0) : 0;
  // Local header, empty archive, and the marker some writers put before the first header.
  if (signature === 0x504b0304 || signature === 0x504b0506 || signature === 0x504b0708) return { kind: 'zip' };
  for (const [what, magic] of SIGNATURES) {
    const bytes = Buffer.from(magic as string);
    // Letters alone can also begin a CSV's first header.
    if (typeof magic === 'string' && magic !== '#!' && !looksBinary(head)) continue;
    if (head.subarray(0, bytes.length).equals(bytes)) return { kind: 'other', what };
  }
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
    throw new Failure('invalid_encoding', `${name} is UTF-16 text; save it as UTF-8.`);
  }
  const start = textStart(head);
  if (head.subarray(start, start + 5).equals(Buffer.from('%PDF-'))) return { kind: 'pdf' };
  if (start >= head.length) throw new Failure('empty_file', `${name} holds nothing but white space.`);
  return sniffText(head, start, name);
}

function sniffText(head: Buffer, start: number, name: string): Sniffed {
  const nul = head.indexOf(0);
  const first = head[start];
  const json = first === 0x7b || first === 0x5b;
  if (nul >= 0) {
    if (!json && controls(head) > 1 + head.length / 100) return { kind: 'other', what: 'binary data' };
    const line = lineOf(head, nul);
    throw new Failure('malformed', `${name} has a NUL character on line ${line}, byte ${nul}.`);
  }
  if (json && opensJson(head, start)) return { kind: jsonKind(head, start, name) };
  if (controls(head) > head.length / 100) return { kind: 'other', what: 'binary data' };
  if (first === 0x3c) return { kind: 'other', what: 'HTML or XML' };
  const text = head.subarray(start);
  const end = text.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  const line = end < 0 ? text : text.subarray(0, end);
  return DELIMITERS.some((byte) => line.includes(byte)) ? { kind: 'csv' } : { kind: 'other', what: 'plain text' };
}

/** A brace must be followed by a key or its pair: rich text and templates begin with one too. */
function opensJson(head: Buffer, start: number): boolean {
  if (head[start] === 0x5b) return true;
  let at = start + 1;
  while (at < head.length && isSpace(head[at])) at += 1;
  return at >= head.length || head[at] === 0x22 || head[at] === 0x7d;
}

/** A first line that is a whole object, with more behind it, or a name that says so, means JSON lines. */
function jsonKind(head: Buffer, start: number, name: string): 'json' | 'ndjson' {
  if (head[start] !== 0x7b) return 'json';
  if (/\.(ndjson|jsonl)$/i.test(name)) return 'ndjson';
  return isLines(head, start) ? 'ndjson' : 'json';
}

/** Whether the first line of `bytes` from `start` is a whole value and something other than white space follows. */
export function isLines(bytes: Buffer, start: number): boolean {
  const end = bytes.indexOf(0x0a, start);
  if (end < 0 || !isWhole(bytes, start, end)) return false;
  for (let at = end + 1; at < bytes.length; at += 1) if (!isSpace(bytes[at])) return true;
  return false;
}

/** Whether brackets outside strings are balanced in [start, end), which opens with one. */
function isWhole(bytes: Buffer, start: number, end: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at];
    if (quoted) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) quoted = false;
    } else if (byte === 0x22) quoted = true;
    else if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return depth === 0 && !quoted;
}

/** Throws Failure('wrong_type') unless the source reads this; answers with the format. */
export function accept(found: Sniffed, parser: Pick<SourceParser, 'source' | 'formats'>, name: string): EntryFormat {
  if (found.kind !== 'other' && found.kind !== 'zip' && accepts(parser, found.kind)) return found.kind;
  const what = found.kind === 'other' ? found.what : LABELS[found.kind];
  const wanted = [...parser.formats.map((format) => LABELS[format]), 'a ZIP archive of these'].join(', ');
  throw new Failure('wrong_type', `${name} is ${what}; ${parser.source} takes ${wanted}.`);
}

/** JSON lines are JSON: a source that reads one reads the other. */
export function accepts(parser: Pick<SourceParser, 'formats'>, format: EntryFormat): boolean {
  if (parser.formats.includes(format)) return true;
  return (
    (format === 'ndjson' && parser.formats.includes('json')) || (format === 'json' && parser.formats.includes('ndjson'))
  );
}

/** The format that an archive entry's name promises, or null: pictures and notes are common in exports. */
export function formatOfName(name: string): EntryFormat | null {
  const extension = /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase();
  if (extension === 'json') return 'json';
  if (extension === 'ndjson' || extension === 'jsonl') return 'ndjson';
  if (extension === 'csv' || extension === 'tsv') return 'csv';
  return extension === 'pdf' ? 'pdf' : null;
}

/** Index behind a byte order mark and white space. */
export function textStart(bytes: Buffer): number {
  let at = bytes.subarray(0, 3).equals(BOM) ? 3 : 0;
  while (at < bytes.length && isSpace(bytes[at])) at += 1;
  return at;
}

/** Whether `bytes`, which may end within a character, is UTF-8. */
export function isUtf8Head(bytes: Buffer): boolean {
  for (let cut = 0; cut <= 3 && cut <= bytes.length; cut += 1) {
    if (isUtf8(bytes.subarray(0, bytes.length - cut))) return true;
    // Only a character's own bytes may be missing their rest.
    const last = bytes[bytes.length - cut - 1];
    if (last === undefined || last < 0x80) return false;
  }
  return false;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function looksBinary(head: Buffer): boolean {
  return head.includes(0) || controls(head) > head.length / 100;
}

function controls(head: Buffer): number {
  let count = 0;
  for (const byte of head) {
    if (byte < 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09 && byte !== 0x0c) count += 1;
  }
  return count;
}

function lineOf(bytes: Buffer, index: number): number {
  let line = 1;
  for (let at = bytes.indexOf(0x0a); at >= 0 && at < index; at = bytes.indexOf(0x0a, at + 1)) line += 1;
  return line;
}
