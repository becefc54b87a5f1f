/** Finds the end of one string, array or object in JSON text that arrives in chunks. */
export const QUOTE = 0x22;
export const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
export const CLOSE_ARRAY = 0x5d;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;

/** 1 for the bytes that matter between the strings of a nested value. */
const STRUCTURAL = new Uint8Array(256);
for (const byte of [QUOTE, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT]) STRUCTURAL[byte] = 1;

export interface NestedScanner {
  /** Begins a value that lies `outer` levels deep; `inString` when its opening quote has been passed already. */
  begin(inString: boolean, outer: number): void;
  /** Index behind the value, or -1 when it goes on in the next chunk or its brackets do not match. */
  scan(bytes: Buffer, from: number): number;
  /** Whether the value nests deeper than `maxDepth`, counted from the document's top. */
  tooDeep: boolean;
  /** Index of the bracket that does not match, in the chunk scanned last; -1 when there is none. */
  mismatchAt: number;
}

/** One scanner serves the values of a document one after the other. */
export function createNestedScanner(maxDepth: number): NestedScanner {
  let quoted = false;
  let escaped = false;
  let depth = 0;
  let outer = 0;
  const closers = new Uint8Array(maxDepth + 2);

  const scanner: NestedScanner = {
    tooDeep: false,
    mismatchAt: -1,
    begin(inString, levels) {
      quoted = inString;
      escaped = false;
      depth = 0;
      outer = levels;
      scanner.tooDeep = false;
      scanner.mismatchAt = -1;
    },
    scan(bytes, from) {
      const length = bytes.length;
      let at = from;
      let open = depth;
      let inString = quoted;
      if (escaped && at < length) {
        at += 1;
        escaped = false;
      }
      while (at < length) {
        if (inString) {
          while (at < length && bytes[at] !== QUOTE && bytes[at] !== BACKSLASH) at += 1;
          if (at >= length) break;
          if (bytes[at] === BACKSLASH) {
            at += 2;
            if (at > length) escaped = true;
            continue;
          }
          at += 1;
          inString = false;
          if (open === 0) {
            quoted = false;
            return at;
          }
          continue;
        }
        const byte = bytes[at] as number;
        at += 1;
        if (STRUCTURAL[byte] === 0) continue;
        if (byte === QUOTE) inString = true;
        else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
          open += 1;
          if (open + outer > maxDepth) scanner.tooDeep = true;
          // Open and close differ by two in ASCII, for brackets and braces alike.
          else closers[open] = byte + 2;
        } else {
          if (open + outer <= maxDepth && closers[open] !== byte) {
            scanner.mismatchAt = at - 1;
            return -1;
          }
          open -= 1;
          if (open === 0) {
            depth = 0;
            return at;
          }
        }
      }
      depth = open;
      quoted = inString;
      return -1;
    },
  };
  return scanner;
}
