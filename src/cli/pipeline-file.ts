/** Pipeline files: YAML or JSON. */
import { type FileLimits, type ObjectFile, parseObjectFile, readObjectFile } from './object-file.ts';

/** Little more is taken by the API itself: what runs is kept in one piece. */
export const MOST_FILE_BYTES = 60 * 1024;

const LIMITS: FileLimits = {
  mostBytes: MOST_FILE_BYTES,
  holds: 'name, description, stages, dependencies',
  hint: 'Bring data in as a file or an object, and name it in the pipeline.',
};

/** Throws CliError (2): no such file, too large, not text. What is wrong inside it stands in `faults`. */
export function readPipelineFile(path: string): Promise<ObjectFile> {
  return readObjectFile(path, LIMITS);
}

export function parsePipelineFile(text: string, path: string): ObjectFile {
  return parseObjectFile(text, path, LIMITS);
}
