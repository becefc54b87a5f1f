/** What is wrong with a pipeline file, told line by line with its place. */
import type { JsonObject } from '../schema/json.ts';
import type { CliContext } from './context.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { faultLine, type ObjectFile, type PlacedFault } from './object-file.ts';

/** Codes with which the API refuses a definition; its faults then name fields of it. */
const REFUSALS = ['invalid_pipeline', 'invalid_input'];

/** The definition in the file; without one its faults are told, and CliError (2) is thrown. */
export function definitionOf(context: CliContext, file: ObjectFile): JsonObject {
  if (file.value) return file.value;
  tellFaults(context, file, file.faults);
  throw faulty(file, file.faults.length);
}

/** Does what sends the file's definition; when that is refused, the faults are told at their places. */
export async function withFaults<T>(context: CliContext, file: ObjectFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CliError) || error.faults.length === 0 || !REFUSALS.includes(error.code ?? '')) throw error;
    const faults = file.place(error.faults);
    tellFaults(context, file, faults);
    throw faulty(file, faults.length);
  }
}

export function tellFaults({ out }: CliContext, file: ObjectFile, faults: readonly PlacedFault[]): void {
  for (const fault of faults) {
    out.line('fault', { file: file.path, ...fault });
    out.say(faultLine(file.path, fault));
  }
}

export function faulty(file: ObjectFile, count: number): CliError {
  return new CliError(EXIT.usage, `${file.path}: ${count} ${count === 1 ? 'fault' : 'faults'}`);
}
