/** A byte scanner that finds where the values of one JSON document begin and end, without parsing them. */
import type { FailureCode } from '../../schema/failures.ts';
import { CLOSE_ARRAY, CLOSE_OBJECT, createNestedScanner, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './json-nested.ts';

export interface SplitValue {
  /** Holds the value at [from, to); null when `problem` says why the value was not kept. */
  bytes: Buffer | null;
  from: number;
  to: number;
  /** Offsets in the document. */
  start: number;
  end: number;
  line: number;
  endLine: number;
  problem: FailureCode | null;
}

export interface SplitSink {
  /** An element of the top-level array (`key` null) or of the array under a collection key. */
  element(value: SplitValue, key: string | null): void;
  /** Any other value of a top-level object. `name` is the key's own bytes, quotes included. */
  member(name: Buffer, value: SplitValue): void;
  /** The structure cannot be followed any further; nothing comes after it. */
  broken(at: { end: number; line: number; code: FailureCode; message: string }): void;
  /** An element is missing (`[1,,2]`); reading goes on. */
  missing(at: { end: number; line: number }, key: string | null): void;
  /** The top-level object closed. */
  closed(at: { start: number; end: number; line: number; endLine: number }): void;
}

export interface Splitter {
  push(chunk: Buffer): void;
  /** To be called once, after the last chunk. */
  end(): void;
  /** True once the structure broke: the rest need not be read. */
  stopped(): boolean;
}

const START = 0;
const FIRST_ELEMENT = 1;
const NEXT_ELEMENT = 2;
const AFTER_ELEMENT = 3;
const FIRST_KEY = 4;
const NEXT_KEY = 5;
const COLON = 6;
const MEMBER = 7;
const AFTER_MEMBER = 8;
const VALUE = 9;
const DONE = 10;
const BROKEN = 11;

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const COMMA = 0x2c;
const COLON_MARK = 0x3a;

/**
 * Begins at the document's start, or, with `resume`, inside a top-level array right behind one of its elements.
 * `collection` tells whether the array under a key is to be split. Depth counts from the document's top.
 */
export function createSplitter(options: {
  maxDepth: number;
  maxBytes: number;
  collection: (name: Buffer) => string | null;
  sink: SplitSink;
  resume?: { offset: number; line: number };
}): Splitter {
  const { maxDepth, maxBytes, collection, sink } = options;
  let state = options.resume === undefined ? START : AFTER_ELEMENT;
  /** Document offset of the current chunk. */
  let base = options.resume?.offset ?? 0;
  let line = options.resume?.line ?? 1;
  let buf: Buffer = Buffer.alloc(0);
  let nextNewline = 0;

  /** Whether the top is an object, and the key whose array is being split. */
  let inObject = false;
  let key: string | null = null;
  let opened = { start: 0, line: 1 };
  let name: Buffer = Buffer.alloc(0);

  // The value being scanned.
  let purpose: 'element' | 'name' | 'member' = 'element';
  let scalar = false;
  const nested = createNestedScanner(maxDepth);
  let valueAt = 0;
  let valueStart = 0;
  let valueLine = 1;
  let pending: Buffer[] = [];
  let pendingBytes = 0;

  /** Line of index `at` of the current chunk; `at` only ever grows within one. */
  function lineTo(at: number): number {
    while (nextNewline < at) {
      line += 1;
      const found = buf.indexOf(NEWLINE, nextNewline + 1);
      nextNewline = found < 0 ? buf.length : found;
    }
    return line;
  }

  function begin(at: number, what: 'element' | 'name' | 'member'): number {
    const byte = buf[at];
    purpose = what;
    const quoted = byte === QUOTE;
    scalar = !quoted && byte !== OPEN_ARRAY && byte !== OPEN_OBJECT;
    nested.begin(quoted, key === null ? 1 : 2);
    valueAt = at;
    valueStart = base + at;
    valueLine = lineTo(at);
    state = VALUE;
    return quoted ? at + 1 : at;
  }

  /** Index behind the value, or -1 when it goes on in the next chunk (or the structure broke). */
  function scanNested(from: number): number {
    const end = nested.scan(buf, from);
    if (nested.mismatchAt >= 0) breakOff(nested.mismatchAt, 'malformed', 'brackets do not match');
    return end;
  }

  function scanScalar(from: number): number {
    for (let at = from; at < buf.length; at += 1) {
      const byte = buf[at];
      if (byte === COMMA || byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) return at;
    }
    return -1;
  }

  function keepRest(): void {
    pendingBytes += buf.length - valueAt;
    if (pendingBytes <= maxBytes) pending.push(valueAt === 0 ? buf : buf.subarray(valueAt));
    else pending = [];
  }

  function finish(at: number): void {
    const size = base + at - valueStart;
    const problem: SplitValue['problem'] = nested.tooDeep ? 'too_deep' : size > maxBytes ? 'record_too_large' : null;
    let bytes: Buffer | null = null;
    let from = 0;
    let to = 0;
    if (problem === null && pending.length === 0) [bytes, from, to] = [buf, valueAt, at];
    else if (problem === null) {
      bytes = Buffer.concat([...pending, buf.subarray(0, at)]);
      to = bytes.length;
    }
    pending = [];
    pendingBytes = 0;
    const endLine = lineTo(at);
    const value: SplitValue = { bytes, from, to, start: valueStart, end: base + at, line: valueLine, endLine, problem };
    if (purpose === 'element') {
      state = AFTER_ELEMENT;
      sink.element(value, key);
    } else if (purpose === 'member') {
      state = AFTER_MEMBER;
      sink.member(name, value);
    } else if (bytes === null) breakOff(at, 'malformed', 'a key is too long');
    else {
      state = COLON;
      // A copy: the chunk it lies in would be kept by it.
      name = Buffer.from(bytes.subarray(from, to));
    }
  }

  function breakOff(at: number, code: FailureCode, message: string): void {
    state = BROKEN;
    pending = [];
    sink.broken({ end: base + at + 1, line: lineTo(at), code: nested.tooDeep ? 'too_deep' : code, message });
  }

  /** One byte between values; the index to go on at. */
  function step(at: number): number {
    const byte = buf[at];
    if (state === START) {
      if (byte === OPEN_ARRAY) state = FIRST_ELEMENT;
      else if (byte === OPEN_OBJECT) {
        inObject = true;
        opened = { start: base + at, line: lineTo(at) };
        state = FIRST_KEY;
      }
      return at + 1;
    }
    if (byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB) return at + 1;
    switch (state) {
      case FIRST_ELEMENT:
      case NEXT_ELEMENT:
        if (byte === CLOSE_ARRAY || byte === COMMA) {
          if (state === NEXT_ELEMENT || byte === COMMA) sink.missing({ end: base + at, line: lineTo(at) }, key);
          if (byte === COMMA) state = NEXT_ELEMENT;
          else closeArray();
          return at + 1;
        }
        if (byte === CLOSE_OBJECT || byte === COLON_MARK) return unexpected(at);
        return begin(at, 'element');
      case AFTER_ELEMENT:
        if (byte === COMMA) state = NEXT_ELEMENT;
        else if (byte === CLOSE_ARRAY) closeArray();
        else return unexpected(at);
        return at + 1;
      case FIRST_KEY:
      case NEXT_KEY:
        if (byte === QUOTE) return begin(at, 'name');
        if (byte === CLOSE_OBJECT && state === FIRST_KEY) return closeObject(at);
        return unexpected(at);
      case COLON:
        if (byte !== COLON_MARK) return unexpected(at);
        state = MEMBER;
        return at + 1;
      case MEMBER:
        if (byte === COMMA || byte === COLON_MARK || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY)
          return unexpected(at);
        if (byte === OPEN_ARRAY) key = collection(name);
        if (key === null) return begin(at, 'member');
        state = FIRST_ELEMENT;
        return at + 1;
      case AFTER_MEMBER:
        if (byte === COMMA) state = NEXT_KEY;
        else if (byte === CLOSE_OBJECT) return closeObject(at);
        else return unexpected(at);
        return at + 1;
      default:
        return unexpected(at);
    }
  }

  function closeArray(): void {
    key = null;
    state = inObject ? AFTER_MEMBER : DONE;
  }

  function closeObject(at: number): number {
    state = DONE;
    sink.closed({ ...opened, end: base + at + 1, endLine: lineTo(at) });
    return at + 1;
  }

  function unexpected(at: number): number {
    nested.tooDeep = false;
    const what = state === DONE ? 'there is more after the end of the document' : 'the structure is broken';
    breakOff(at, 'malformed', `${what}: unexpected ${printable(buf[at])}`);
    return buf.length;
  }

  return {
    push(chunk) {
      if (state === BROKEN || chunk.length === 0) return;
      buf = chunk;
      const first = chunk.indexOf(NEWLINE);
      nextNewline = first < 0 ? chunk.length : first;
      valueAt = 0;
      let at = 0;
      while (at < chunk.length && state !== BROKEN) {
        if (state !== VALUE) {
          at = step(at);
          continue;
        }
        const end = scalar ? scanScalar(at) : scanNested(at);
        if (end < 0) break;
        finish(end);
        at = end;
      }
      // A quote can be a chunk's last byte, so that its string has begun and nothing of it was scanned.
      if (state === VALUE) keepRest();
      lineTo(chunk.length);
      base += chunk.length;
    },
    end() {
      if (state === BROKEN || state === DONE) return;
      buf = Buffer.alloc(0);
      nextNewline = 0;
      if (state !== VALUE) nested.tooDeep = false;
      breakOff(0, 'truncated_file', state === VALUE ? 'the text ends inside a record' : 'the text ends too early');
    },
    stopped: () => state === BROKEN,
  };
}

function printable(byte: number | undefined): string {
  if (byte === undefined) return 'end';
  return byte > 0x20 && byte < 0x7f ? JSON.stringify(String.fromCharCode(byte)) : `byte 0x${byte.toString(16)}`;
}
