/** What a worker and its data engine say to each other: small JSON messages; data stays in files. */
import type { Json } from '../../../schema/json.ts';

export type Row = Record<string, Json>;

/** SQL that a user wrote, with the place it stands at in the configuration. */
export interface UserSql {
  path: string;
  kind: 'select' | 'expression';
  sql: string;
  /** Views it may read besides those of the job, such as `batch`. */
  views?: string[];
}

export interface EngineJob {
  memoryMb: number;
  threads: number;
  tempMb: number;
  /** Folder of this job alone: results go to `out/`, what does not fit in memory to `spill/`. */
  folder: string;
  /** The only files outside `out/` that may be read, each with what messages call it. */
  files: { path: string; label: string }[];
  /** Checked before anything runs. */
  userSql: UserSql[];
  /** Names of the views that user SQL may read. */
  views: string[];
}

export type Task =
  | { op: 'open'; job: EngineJob }
  | { op: 'run'; sql: string }
  | { op: 'query'; sql: string }
  /** Runs a COPY to `file` and hashes what it wrote. */
  | { op: 'copy'; sql: string; file: string }
  | { op: 'close' };

export interface Copied {
  rows: number;
  bytes: number;
  sha256: string;
}

export type Answer = { rows: Row[] } | { copied: Copied } | { rowWise: boolean } | { done: true };

/** `denied`: not allowed here. `limit`: memory or temporary space is used up. `failed`: the engine's own words. */
export interface EngineError {
  kind: 'denied' | 'limit' | 'failed';
  path: string;
  message: string;
}

export type ToEngine = { id: number; task: Task };
export type FromEngine = { id: number; answer: Answer } | { id: number; error: EngineError } | { share: number };
