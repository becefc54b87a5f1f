/** What every reader hands over: things found in an entry and things that could not be read, in order. */
import type { FailureCode } from '../../schema/failures.ts';

interface Place {
  /** Byte offset behind it in the entry's unpacked bytes, at which reading can start again. */
  end: number;
  /** 1-based line it starts at, or null where there are none. */
  line: number | null;
  /** Line at `end`. */
  endLine: number;
}

/** A part of an entry that cannot be read. */
export interface Bad extends Place {
  kind: 'bad';
  code: FailureCode;
  message: string;
  /** Nothing of the entry can be read behind it. */
  last?: true;
}

interface JsonFound extends Place {
  kind: 'json';
  start: number;
  line: number;
  /** Top-level key of the array it is an element of, or null. */
  key: string | null;
  value: unknown;
  /** The other top-level values that stand before it. */
  envelope: Readonly<Record<string, unknown>>;
}

interface RowFound extends Place {
  kind: 'row';
  line: number;
  row: Readonly<Record<string, string>>;
  headers: readonly string[];
}

interface PageFound extends Place {
  kind: 'page';
  number: number;
  pages: number;
  text: string;
  title: string;
}

export type Item = JsonFound | RowFound | PageFound | Bad;

/** Bytes of one entry, unpacked, from `offset` on. */
export interface EntryBytes {
  name: string;
  size: number;
  open(offset: number): AsyncIterable<Buffer>;
}

/** Where to start in an entry; `{ offset: 0, line: 1 }` is its beginning. */
export interface From {
  offset: number;
  line: number;
}
