/** JSON lines: one value a line; a bad line costs that line alone. */
import { isAscii } from 'node:buffer';
import type { ParseLimits } from '../contract.ts';
import type { From, Item } from './item.ts';
import { depthOf, parseJson } from './json-value.ts';

const NEWLINE = 0x0a;
const NO_ENVELOPE = Object.freeze({});

/** Items of the lines in `chunks`, the first of which begins at `from`; a batch of items a chunk. */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  limits: ParseLimits,
  from: From,
): AsyncGenerator<Item[]> {
  let start = from.offset;
  let line = from.line;
  let pending: Buffer[] = [];
  let pendingBytes = 0;

  /** One line at [begin, end) of `bytes`, `size` bytes with its newline. */
  function one(bytes: Buffer | null, begin: number, end: number, size: number, ascii: boolean, items: Item[]): void {
    const place = { line, end: start + size, endLine: line + 1 };
    const bad = (code: 'record_too_large' | 'too_deep', message: string) =>
      items.push({ kind: 'bad', ...place, code, message });
    let [first, last] = [begin, end];
    if (bytes === null) bad('record_too_large', `over ${limits.max_record_bytes} bytes`);
    else {
      if (start === 0 && bytes[first] === 0xef && bytes[first + 1] === 0xbb && bytes[first + 2] === 0xbf) first += 3;
      while (first < last && isSpace(bytes[first])) first += 1;
      while (first < last && isSpace(bytes[last - 1])) last -= 1;
      if (first === last) {
        // A blank line says nothing.
      } else if (last - first > limits.max_record_bytes) {
        bad('record_too_large', `over ${limits.max_record_bytes} bytes`);
      } else if (depthOf(bytes, first, last) > limits.max_json_depth) {
        bad('too_deep', `nested deeper than ${limits.max_json_depth}`);
      } else {
        const parsed = parseJson(bytes, first, last, ascii);
        if (parsed.ok) {
          items.push({ kind: 'json', start, ...place, key: null, value: parsed.value, envelope: NO_ENVELOPE });
        } else items.push({ kind: 'bad', ...place, code: parsed.code, message: parsed.message });
      }
    }
    start += size;
    line += 1;
  }

  for await (const chunk of chunks) {
    const items: Item[] = [];
    const ascii = isAscii(chunk);
    let at = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, at)) {
      if (pendingBytes === 0) one(chunk, at, end, end + 1 - at, ascii, items);
      else {
        const size = pendingBytes + end + 1;
        const whole = pending.length === 0 ? null : Buffer.concat([...pending, chunk.subarray(0, end)]);
        one(whole, 0, whole?.length ?? 0, size, false, items);
        pending = [];
        pendingBytes = 0;
      }
      at = end + 1;
    }
    if (at < chunk.length) {
      const kept = pendingBytes === 0 || pending.length > 0;
      pendingBytes += chunk.length - at;
      if (kept && pendingBytes <= limits.max_record_bytes + 3) pending.push(chunk.subarray(at));
      else pending = [];
    }
    if (items.length > 0) yield items;
  }
  if (pendingBytes > 0) {
    const items: Item[] = [];
    const whole = pending.length === 0 ? null : Buffer.concat(pending);
    one(whole, 0, whole?.length ?? 0, pendingBytes, false, items);
    if (items.length > 0) yield items;
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}
