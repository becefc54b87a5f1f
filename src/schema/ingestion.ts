/** What goes into and comes out of the ingestion workflows, their activities and messages. JSON-safe throughout. */
import type { FileStatus, Phase, Source } from './names.ts';
import type { ResumePoint } from './records.ts';

export interface IngestInput {
  file_id: string;
  owner: string;
  source: Source;
  /** Fences late activities of an attempt that was given up. */
  attempt: number;
}

export interface IngestProgress {
  file_id: string;
  status: FileStatus;
  phase: Phase;
  progress: number;
}

export interface StepInput {
  file_id: string;
  workflow_id: string;
  attempt: number;
}

export interface ParseInput extends StepInput {
  /** Where an earlier run of this step stopped when it was paused; null at first. */
  from: ResumePoint | null;
}

/** `done: false`: the step was asked to stop and says where to go on. */
export interface ParseResult {
  done: boolean;
  resume: ResumePoint;
}

export interface IndexInput extends StepInput {
  /** Record id after which to go on; null at first. */
  from: string | null;
}

export interface IndexResult {
  done: boolean;
  after: string | null;
}

export interface IngestResult {
  file_id: string;
  status: FileStatus;
  total_records: number;
  vector_count: number;
  error_count: number;
}
