/** The checkpoint of a file as its row holds it. */
import type { JsonObject } from '../../schema/json.ts';
import type { Checkpoint } from '../../schema/tables.ts';
import type { FileRow } from '../../stores/files.ts';

export function readCheckpoint(file: FileRow): Checkpoint {
  return file.checkpoint ?? { parse: null, parsed: false, cause: null, indexed_after: null };
}

export function asJson(checkpoint: Checkpoint): JsonObject {
  return { ...checkpoint, parse: checkpoint.parse === null ? null : { ...checkpoint.parse } };
}
