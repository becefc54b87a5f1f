/** What goes into a built-in stage and what comes out: references to data, never the data. */
import type { JsonObject } from '../json.ts';
import type { TaskType } from '../names.ts';

/** A table between stages, as one Parquet object. */
export interface DatasetRef {
  key: string;
  format: 'parquet';
  rows: number;
  bytes: number;
  /** Hex, of the object's bytes. */
  sha256: string;
  /** In order, with the engine's names of types (`BIGINT`, `DECIMAL(18,2)`, `VARCHAR[]`). */
  columns: { name: string; type: string }[];
}

/** Something a stage made besides its table: a file to download, rejects, a report. */
export interface ArtifactRef {
  /** File name, unique within the stage. */
  name: string;
  key: string;
  media_type: string;
  bytes: number;
  /** Hex, of the object's bytes. */
  sha256: string;
  /** Null where the artifact is no table. */
  rows: number | null;
}

export interface StageRequest {
  type: TaskType;
  config: JsonObject;
  /** Outputs of the stages this one depends on, by stage name. SQL knows the first as `input` too. */
  inputs: { name: string; dataset: DatasetRef }[];
  /** `input_data` of the execution. */
  input_data: JsonObject | null;
  /** `parameters` of the execution: what the configuration leaves open is taken from here. */
  parameters: JsonObject;
  /** Everything the stage writes lies below it, e.g. `runs/<workflow id>/2/`; ends with a slash. */
  prefix: string;
  /** Whose files and records may be read. */
  owner: string;
  /** True: everybody's. */
  all_owners: boolean;
  timeout_seconds: number;
}

export interface StageOutput {
  dataset: DatasetRef | null;
  artifacts: ArtifactRef[];
  /** Under 16 KiB: counts and measures. What is larger is an artifact. */
  summary: JsonObject;
}

/** A batch of rows handed to somebody else, as an object. */
export interface BatchRef {
  key: string;
  rows: number;
}

export interface StageRunner {
  /**
   * Does the work of one stage. The same request leads to the same keys and the same bytes, however often it is
   * repeated. Throws Failure only.
   */
  run(
    request: StageRequest,
    options: { signal: AbortSignal; progress(share: number, message: string): void },
  ): Promise<StageOutput>;
  /** Ends the processes that wait for work. */
  close(): Promise<void>;
}
