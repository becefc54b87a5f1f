/** A record: the one shape every parser produces, whatever the source. */
import type { JsonObject } from './json.ts';
import type { ContentType } from './names.ts';

export interface ParsedRecord {
  /** The source's own id, unique within account and content type. */
  external_id: string;
  content_type: ContentType;
  title: string | null;
  /** Readable text, never empty: what is searched and embedded. */
  text: string;
  author: string | null;
  participants: string[];
  /** ISO 8601 with Z, or null where the source gives no time. */
  occurred_at: string | null;
  url: string | null;
  /** `external_id` of the record this one belongs to (thread, call, account), or null. */
  parent_id: string | null;
  metadata: JsonObject;
}

/** What could not be read, and where. `line` is 1-based in the entry's own text, or null (PDF page, archive). */
export interface EntryError {
  entry: string;
  line: number | null;
  message: string;
}

/**
 * Where to go on after the last record of a batch. `entry` is an index in the upload's entry list,
 * `offset` a byte offset in that entry's unpacked bytes at which the next element starts, `ordinal` the
 * count of records that the parser has emitted before this point, `line` the line at `offset`.
 */
export interface ResumePoint {
  entry: number;
  offset: number;
  line: number;
  ordinal: number;
  /** Unreadable records met before this point. */
  errors: number;
}

export const START: ResumePoint = { entry: 0, offset: 0, line: 1, ordinal: 0, errors: 0 };
