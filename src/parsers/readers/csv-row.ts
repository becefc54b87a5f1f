/** One CSV record's text to its fields, and what a file's first bytes tell about its delimiter and encoding. */
import { isAscii } from 'node:buffer';
import { BOM, isUtf8Head } from './sniff.ts';

const QUOTE = 0x22;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

export interface CsvDialect {
  /** Byte of `,`, `;` or tab. */
  delimiter: number;
  /** Byte that ends a record: a newline (a carriage return before it is dropped), or a bare carriage return. */
  terminator: number;
  /** `either`: valid UTF-8 is read as such and anything else as Windows-1252, record by record. */
  encoding: 'utf8' | 'either';
  /** Length of the byte order mark. */
  mark: 0 | 3;
}

/**
 * Tells the dialect from the beginning of a file, which a resumed run reads again, so that both decide alike.
 *
 * Encoding: with a byte order mark, or when the head is valid UTF-8 with characters beyond ASCII, the file is UTF-8 and
 * a record that is not is an error. Otherwise each record decides for itself: what is valid UTF-8 is read as such, all
 * else as Windows-1252, which spreadsheets on Windows write. Text of that encoding that happens to be valid UTF-8 beyond
 * ASCII is as good as unknown, and nothing has to be remembered from one record to the next.
 */
export function dialectOf(head: Buffer): CsvDialect {
  const terminator = head.includes(NEWLINE) || !head.includes(RETURN) ? NEWLINE : RETURN;
  const mark = head.subarray(0, BOM.length).equals(BOM) ? 3 : 0;
  const encoding = mark > 0 || (!isAscii(head) && isUtf8Head(head)) ? 'utf8' : 'either';
  return { delimiter: delimiterOf(head, terminator), terminator, encoding, mark };
}

/** The candidate that occurs most in the first record that is not blank, quoted text left out; a comma when none does. */
function delimiterOf(head: Buffer, terminator: number): number {
  const counts = new Map([
    [0x2c, 0],
    [0x3b, 0],
    [0x09, 0],
  ]);
  let quoted = false;
  let content = false;
  for (const byte of head) {
    if (byte === QUOTE) quoted = !quoted;
    else if (quoted) continue;
    else if (byte === terminator) {
      if (content) break;
    } else {
      if (byte > 0x20) content = true;
      const count = counts.get(byte);
      if (count !== undefined) counts.set(byte, count + 1);
    }
  }
  let best = 0x2c;
  for (const [byte, count] of counts) if (count > (counts.get(best) ?? 0)) best = byte;
  return best;
}

/** The fields of one record, or null when text stands between a closing quote and the next delimiter. */
export function fieldsOf(text: string, delimiter: string): string[] | null {
  if (!text.includes('"')) return text.split(delimiter);
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text.charCodeAt(at) === QUOTE) {
      const start = at + 1;
      let end = text.indexOf('"', start);
      let doubled = false;
      while (end >= 0 && text.charCodeAt(end + 1) === QUOTE) {
        doubled = true;
        end = text.indexOf('"', end + 2);
      }
      if (end < 0) return null;
      const value = text.slice(start, end);
      fields.push(doubled ? value.replaceAll('""', '"') : value);
      at = end + 1;
      if (at === text.length) return fields;
      if (text[at] !== delimiter) return null;
      at += 1;
    } else {
      const next = text.indexOf(delimiter, at);
      if (next < 0) {
        fields.push(text.slice(at));
        return fields;
      }
      fields.push(text.slice(at, next));
      at = next + 1;
    }
  }
}

/** Trimmed; empty ones are named by their place, and a repeated one gets ` (2)`. */
export function headersOf(fields: readonly string[]): string[] {
  const taken = new Set<string>();
  return fields.map((field, index) => {
    const name = field.trim() || `column ${index + 1}`;
    let unique = name;
    for (let count = 2; taken.has(unique); count += 1) unique = `${name} (${count})`;
    taken.add(unique);
    return unique;
  });
}

/** Windows-1252 above what it shares with Latin-1; bytes it leaves undefined stay as they are. */
const HIGH = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/** An own table: TextDecoder('windows-1252') reads 0x80 to 0x9f as controls in some releases of Node. */
export function decode1252(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/[\u0080-\u009f]/g, (char) => HIGH[char.charCodeAt(0) - 0x80] ?? char);
}
