/** Bytes of one JSON value to the value: strict UTF-8, no NUL, one code and one sentence for what is wrong. */
import { isAscii, isUtf8 } from 'node:buffer';
import type { FailureCode } from '../../schema/failures.ts';

export type Parsed = { ok: true; value: unknown } | { ok: false; code: FailureCode; message: string };

/** Parses `bytes` in [from, to). `ascii` says that the whole buffer is known to be ASCII, which is faster to decode. */
export function parseJson(bytes: Buffer, from: number, to: number, ascii: boolean): Parsed {
  let text: string;
  if (ascii) text = bytes.toString('latin1', from, to);
  else {
    const part = bytes.subarray(from, to);
    if (isAscii(part)) text = bytes.toString('latin1', from, to);
    else if (isUtf8(part)) text = bytes.toString('utf8', from, to);
    else return { ok: false, code: 'invalid_encoding', message: 'not valid UTF-8' };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (text.includes('\0')) return { ok: false, code: 'malformed', message: 'holds a NUL character' };
    // Only the place: the parser's own message quotes the text.
    const place = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined;
    return {
      ok: false,
      code: 'malformed',
      message: `not valid JSON${place === undefined ? '' : ` at character ${place}`}`,
    };
  }
  // Postgres stores no NUL, and an escaped one is a backslash away from an innocent text: look at the value.
  if (text.includes('\\u0000') && holdsNul(value)) {
    return { ok: false, code: 'malformed', message: 'holds a NUL character (\\u0000)' };
  }
  return { ok: true, value };
}

function holdsNul(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0');
  if (Array.isArray(value)) return value.some(holdsNul);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, inner]) => name.includes('\0') || holdsNul(inner));
}

/** Deepest nesting of the brackets in [from, to), strings left out. */
export function depthOf(bytes: Buffer, from: number, to: number): number {
  let depth = 0;
  let deepest = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at];
    if (byte === 0x22) {
      at += 1;
      while (at < to && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return deepest;
}
