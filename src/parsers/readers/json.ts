/** JSON in any of its shapes (array, object with collections, one document, lines) as a stream of items. */
import { isAscii } from 'node:buffer';
import type { FailureCode } from '../../schema/failures.ts';
import type { ParseLimits } from '../contract.ts';
import type { EntryBytes, From, Item } from './item.ts';
import { readLines } from './json-lines.ts';
import { createSplitter, type SplitSink, type SplitValue } from './json-split.ts';
import { parseJson } from './json-value.ts';
import { BOM, isLines, textStart } from './sniff.ts';

/**
 * How often the envelope may change behind elements that already saw it. Each change copies it, so that an element
 * sees what stood before it and nothing else; an object that alternates without end would cost without end.
 */
const MAX_ENVELOPE_COPIES = 256;

type Shape = 'array' | 'object' | 'lines' | 'neither' | 'empty';

/**
 * Items of one entry from `from` on: exactly those that a run from the beginning yields behind that place.
 * What cannot be read becomes a `bad` item; after broken structure it is the last. Faults of `bytes` pass through.
 *
 * An array and lines are entered at `from` at once. An object is scanned again from its beginning, without parsing
 * the elements before `from`, because they and the ones behind share the object's other values.
 */
export async function* readJson(
  bytes: EntryBytes,
  options: { limits: ParseLimits; collections: readonly string[]; lines: boolean; from: From },
): AsyncGenerator<Item[]> {
  const { limits, from } = options;
  const source = bytes.open(0)[Symbol.asyncIterator]();
  let all: AsyncIterable<Buffer> | null = null;
  try {
    const { shape, head } = await shapeOf(source, limits, options.lines);
    if (shape === 'neither' || shape === 'empty') {
      const [code, message] =
        shape === 'empty'
          ? (['empty_file', 'holds nothing'] as const)
          : (['malformed', 'neither an object nor an array'] as const);
      if (from.offset < 1) yield [{ kind: 'bad', line: 1, end: 1, endLine: 1, code, message, last: true }];
      return;
    }
    all = from.offset === 0 || shape === 'object' ? chain(head, source) : bytes.open(from.offset);
    if (shape === 'lines') yield* readLines(all, limits, from);
    else yield* readDocument(all, shape, options);
  } finally {
    await source.return?.();
  }
}

async function* readDocument(
  chunks: AsyncIterable<Buffer>,
  shape: 'array' | 'object',
  options: { limits: ParseLimits; collections: readonly string[]; from: From },
): AsyncGenerator<Item[]> {
  const { limits, collections, from } = options;
  let items: Item[] = [];
  let ascii = false;
  let chunk: Buffer | null = null;
  let envelope: Record<string, unknown> = {};
  let envelopeBytes = 0;
  let copies = 0;
  let streamed = false;
  let incomplete = false;
  let hasCollection = false;

  const read = (value: SplitValue) =>
    value.bytes === null
      ? { ok: false as const, ...tooMuch(value.problem, limits) }
      : parseJson(value.bytes, value.from, value.to, ascii && value.bytes === chunk);

  function bad(at: { end: number; line: number; endLine?: number }, code: FailureCode, message: string): void {
    if (at.end > from.offset)
      items.push({ kind: 'bad', line: at.line, end: at.end, endLine: at.endLine ?? at.line, code, message });
  }

  const sink: SplitSink = {
    element(value, key) {
      streamed = true;
      if (value.end <= from.offset) return;
      const parsed = read(value);
      if (!parsed.ok) return bad(value, parsed.code, parsed.message);
      const { start, end, line, endLine } = value;
      items.push({ kind: 'json', start, end, line, endLine, key, value: parsed.value, envelope });
    },
    member(name, value) {
      const parsedName = parseJson(name, 0, name.length, false);
      const parsed = parsedName.ok ? read(value) : parsedName;
      if (!parsedName.ok || !parsed.ok) {
        incomplete = true;
        if (!parsed.ok) bad(value, parsed.code, parsed.message);
        return;
      }
      envelopeBytes += value.end - value.start;
      if (envelopeBytes > limits.max_record_bytes) {
        if (!incomplete) bad(value, 'record_too_large', `over ${limits.max_record_bytes} bytes`);
        incomplete = true;
        return;
      }
      // The same on a run that resumes behind an element as on one that saw it.
      if (streamed && copies >= MAX_ENVELOPE_COPIES) return;
      if (streamed) {
        copies += 1;
        envelope = { ...envelope };
      }
      define(envelope, String(parsedName.value), parsed.value);
    },
    broken({ end, line, code, message }) {
      const text = code === 'too_deep' ? `nested deeper than ${limits.max_json_depth}` : message;
      items.push({ kind: 'bad', line, end, endLine: line, code, message: text, last: true });
    },
    missing: (at) => bad(at, 'malformed', 'an element is missing'),
    closed(at) {
      // Without a collection the object is the record, unless part of it was reported and left out.
      if (hasCollection || incomplete || at.end <= from.offset) return;
      items.push({ kind: 'json', ...at, key: null, value: envelope, envelope: {} });
    },
  };
  const splitter = createSplitter({
    maxDepth: limits.max_json_depth,
    maxBytes: limits.max_record_bytes,
    collection(name) {
      const parsed = parseJson(name, 0, name.length, false);
      const key = parsed.ok ? String(parsed.value) : '';
      if (!collections.includes(key)) return null;
      hasCollection = true;
      return key;
    },
    sink,
    ...(shape === 'array' && from.offset > 0 ? { resume: from } : {}),
  });
  for await (const next of chunks) {
    chunk = next;
    ascii = isAscii(next);
    splitter.push(next);
    if (items.length > 0) {
      yield items;
      items = [];
    }
    if (splitter.stopped()) return;
  }
  splitter.end();
  if (items.length > 0) yield items;
}

function tooMuch(problem: FailureCode | null, limits: ParseLimits): { code: FailureCode; message: string } {
  return problem === 'too_deep'
    ? { code: 'too_deep', message: `nested deeper than ${limits.max_json_depth}` }
    : { code: 'record_too_large', message: `over ${limits.max_record_bytes} bytes` };
}

/** Sets an own property even where the key is `__proto__`. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Reads just as much as tells the shape: one byte for an array, the first line and a little for an object. */
async function shapeOf(
  source: AsyncIterator<Buffer>,
  limits: ParseLimits,
  lines: boolean,
): Promise<{ shape: Shape; head: Buffer[] }> {
  const head: Buffer[] = [];
  let size = 0;
  let looked = 0;
  for (;;) {
    const { value, done } = await source.next();
    if (!done) {
      head.push(value);
      size += value.length;
      if (size < looked * 2) continue;
    }
    looked = size;
    const bytes = head.length === 1 && head[0] !== undefined ? head[0] : Buffer.concat(head);
    const shape = tell(bytes, lines, done === true || size > limits.max_record_bytes + 1024);
    if (shape !== null) return { shape, head };
  }
}

/** Null when more bytes are needed and there can be more. */
function tell(bytes: Buffer, lines: boolean, last: boolean): Shape | null {
  // A byte order mark may come in pieces.
  if (bytes.length < BOM.length && !last) return null;
  const start = textStart(bytes);
  if (start >= bytes.length) return last ? 'empty' : null;
  if (lines) return 'lines';
  if (bytes[start] === 0x5b) return 'array';
  if (bytes[start] !== 0x7b) return 'neither';
  if (isLines(bytes, start)) return 'lines';
  const newline = bytes.indexOf(0x0a, start);
  // A first line that is not whole settles it; one that is, or has not ended, may be one of many.
  if (last || (newline >= 0 && !isLines(Buffer.concat([bytes.subarray(start, newline + 1), Buffer.from('x')]), 0))) {
    return 'object';
  }
  return null;
}

async function* chain(head: Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  for (let chunk = head.shift(); chunk !== undefined; chunk = head.shift()) yield chunk;
  for (;;) {
    const { value, done } = await rest.next();
    if (done) return;
    yield value;
  }
}
