/** The contracts of what we keep besides Postgres rows: objects, vectors, cache. Two implementations each, one contract test. */
import type { ContentType, Source } from '../schema/names.ts';

/** Answers within a second or throws; the message says what is wrong. */
export interface Pingable {
  ping(): Promise<void>;
}

/** Bytes by key. Keys are `/`-separated, `[A-Za-z0-9._-]` parts; a key with an empty, `.` or `..` part throws. */
export interface ObjectStore extends Pingable {
  readonly kind: 'folder' | 's3';
  readonly bucket: string;
  /** Stores the whole stream or nothing: the object is visible only when `body` has ended without an error. */
  put(key: string, body: AsyncIterable<Uint8Array> | Uint8Array): Promise<{ size: number }>;
  /** Takes over a finished file, which is gone afterwards: a rename where that is possible. Otherwise like `put`. */
  putFile(key: string, file: string): Promise<{ size: number }>;
  /** The file that holds the object, to read in place; null where objects are no files here. Throws like `get`. */
  localFile(key: string): Promise<string | null>;
  /** Throws Failure('not_found') when absent. `range` is `[start, end)`. */
  get(key: string, range?: { start: number; end: number }): Promise<AsyncIterable<Buffer>>;
  stat(key: string): Promise<{ size: number; modified: Date } | null>;
  /** Deleting what is absent is no error. */
  delete(key: string): Promise<void>;
  deletePrefix(prefix: string): Promise<number>;
  list(prefix: string): AsyncIterable<{ key: string; size: number; modified: Date }>;
  /** Moves an object within the store (a rename where that is possible). */
  move(from: string, to: string): Promise<void>;
  /** Removes unfinished uploads and multipart parts begun before `before`; resolves with how many. */
  sweepUnfinished(before: Date): Promise<number>;
  /** Another bucket that the same credentials reach, to read; null where there are no others. */
  otherBucket(bucket: string): ReadableBucket | null;
  close(): Promise<void>;
}

/**
 * A bucket that is somebody else's: keys of any characters. Its methods throw Failure `not_found` where there is no such
 * bucket and `forbidden` where the credentials may not read it.
 */
export type ReadableBucket = Pick<ObjectStore, 'get' | 'stat' | 'list'>;

export interface VectorRow {
  /** Record id (a UUID). */
  id: string;
  vector: Float32Array;
  owner: string;
  source: Source;
  content_type: ContentType;
  author: string | null;
  /** Milliseconds since the epoch, or null. */
  occurred_at: number | null;
  /** Hex hash of the text that the vector was made from. */
  content_hash: string;
}

export interface VectorFilter {
  /** Undefined: every owner. */
  owners?: string[];
  sources?: Source[];
  content_types?: ContentType[];
  author?: string;
  /** Inclusive, milliseconds since the epoch. */
  from?: number;
  /** Exclusive. */
  to?: number;
}

/** The vectors of collection `DataContent`. Writes come from one process at a time; readers may be many. */
export interface VectorIndex extends Pingable {
  readonly kind: 'lancedb' | 'weaviate';
  readonly dimensions: number;
  /** Inserts or replaces by id; every row is written or the call throws. */
  upsert(rows: VectorRow[]): Promise<void>;
  deleteIds(ids: string[]): Promise<void>;
  /** Nearest by cosine, best first; `score` is cosine similarity. */
  search(vector: Float32Array, k: number, filter: VectorFilter): Promise<{ id: string; score: number }[]>;
  /** Every id with its content hash, for reconciling and counting from outside. */
  scan(): AsyncIterable<{ id: string; content_hash: string }>;
  count(): Promise<number>;
  /** Folds small files together and drops deleted versions for good. Cheap when there is nothing to do. */
  compact(): Promise<void>;
  close(): Promise<void>;
}

/** Turns text to vectors of unit length. */
export interface Embedder {
  /** Names model and version: vectors of another name are not comparable. */
  readonly name: string;
  readonly dimensions: number;
  embed(texts: string[], signal?: AbortSignal): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** A bounded cache of JSON-safe values. Losing an entry is never an error. */
export interface Cache extends Pingable {
  readonly kind: 'memory' | 'redis';
  get(key: string): Promise<string | null>;
  set(key: string, value: string, ttlSeconds: number): Promise<void>;
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}
