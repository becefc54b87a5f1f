/** The contract between the readers (containers and formats) and the parsers of the five sources. */
import type { FailureCode } from '../schema/failures.ts';
import type { JsonObject } from '../schema/json.ts';
import type { Source } from '../schema/names.ts';
import type { EntryError, ParsedRecord, ResumePoint } from '../schema/records.ts';

/** Random access to an upload, wherever it lies. `read` resolves with fewer bytes only at the end. */
export interface RandomAccess {
  size: number;
  read(offset: number, length: number): Promise<Buffer>;
  /** Bytes from `offset` to the end (or for `length`) in order. */
  stream(offset: number, length?: number): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** Limits on hostile input, all inclusive. */
export interface ParseLimits {
  max_upload_bytes: number;
  max_entries: number;
  /** Sum of unpacked sizes. */
  max_unpacked_bytes: number;
  /** Unpacked to packed size of one entry, counted only above 1 MiB unpacked. */
  max_ratio: number;
  /** An archive inside an archive is refused at this depth; 1 means none inside another. */
  max_archive_depth: number;
  max_json_depth: number;
  max_record_bytes: number;
}

export type EntryFormat = 'json' | 'ndjson' | 'csv' | 'pdf';

export interface Entry {
  /** Path inside the archive, or the upload's own file name. */
  name: string;
  format: EntryFormat;
  /** Unpacked bytes. */
  size: number;
}

/** Where a value was found, for error messages and metadata. */
export interface At {
  entry: string;
  line: number;
  /** The top-level key whose array the value came from (`records`, `results`, `calls`), or null. */
  key: string | null;
}

export interface UploadInfo {
  filename: string;
  entries: readonly Entry[];
  /** `metadata` of the upload, as the caller gave it. */
  metadata: JsonObject;
}

/** A record that cannot be read; the reader counts it under the entry and line it came from. */
export class RecordError extends Error {}

/**
 * One parser instance reads one upload. Yielding nothing skips a value silently (nothing worth a record);
 * throwing RecordError reports it.
 */
export interface UploadParser {
  /**
   * The account (workspace, portal, org) that the upload is of, once known, else null: record ids are made
   * from it, so overlapping exports of one account meet. Read after all look-ups were fed, then fixed.
   */
  account(): string | null;
  /** Whole entries fed first, in full, also on resume (Slack's users.json and channels.json). */
  isLookup(entry: Entry): boolean;
  lookup(entry: Entry, value: unknown): void;
  /** Entries that hold nothing to read. */
  skip(entry: Entry): boolean;
  /** One element of a JSON document: an element of the top-level array or of a collection key, or the document itself. */
  json(value: unknown, at: At, envelope: Readonly<Record<string, unknown>>): Iterable<ParsedRecord>;
  /** One CSV row by header. Headers are trimmed; a repeated header gets ` (2)`. */
  row(row: Readonly<Record<string, string>>, headers: readonly string[], at: At): Iterable<ParsedRecord>;
  /** One PDF page. `title` is the document's own or its file name. */
  page(page: { number: number; pages: number; text: string; title: string }, at: At): Iterable<ParsedRecord>;
}

export interface SourceParser {
  source: Source;
  /** Accepted entry formats beyond ZIP, which every source may be packed in. */
  formats: readonly EntryFormat[];
  /** Top-level keys whose arrays are streamed element by element instead of read as one value. */
  collections: readonly string[];
  /** Whether a CSV row of this one field, under a wider header, is what a report says of itself at its end. */
  isFooter?(field: string, headers: readonly string[]): boolean;
  start(upload: UploadInfo): UploadParser;
}

export interface ParsedBatch {
  /** Records with their account already resolved. */
  account: string | null;
  records: (ParsedRecord & { entry: number })[];
  /** Unreadable records met in this batch; only the first MAX_KEPT_ERRORS of an upload are kept by name. */
  errors: EntryError[];
  /** Code of the batch's first unreadable record, or null: what to fail an upload with that holds no good one. */
  cause: FailureCode | null;
  /** Where the next batch starts. */
  resume: ResumePoint;
  /** Progress in unpacked bytes over all entries. */
  bytes_done: number;
  bytes_total: number;
  done: boolean;
}
