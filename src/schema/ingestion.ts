/** What goes into and comes out of the ingestion workflows, their activities and messages. JSON-safe throughout. */
import type { JsonObject } from './json.ts';
import type { FileStatus, Phase, Source } from './names.ts';

/** Where an import comes from when it was not uploaded. */
export type ImportFrom = { object_key: string } | { url: string };

export type IngestInput = {
  file_id: string;
  owner: string;
  source: Source;
  /** Fences late activities of an attempt that was given up. */
  attempt: number;
  import: ImportFrom | null;
};

export type DeleteInput = {
  file_id: string;
  owner: string;
  source: Source;
  /** The ingestion to stop first. */
  ingest_workflow_id: string;
};

export interface IngestProgress {
  file_id: string;
  status: FileStatus;
  phase: Phase;
  progress: number;
}

/** What every step knows of its file. */
export interface Step {
  file_id: string;
  workflow_id: string;
  attempt: number;
  owner: string;
  source: Source;
}

/** `done: false`: the step was asked to stop. Where it goes on stands in the file's checkpoint. */
export interface StepResult {
  done: boolean;
  checkpoint: JsonObject;
}

export interface IngestResult {
  file_id: string;
  status: FileStatus;
  total_records: number;
  vector_count: number;
  error_count: number;
}
