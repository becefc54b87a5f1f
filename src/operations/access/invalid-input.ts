/** A field that is wrong in a way that only the operation can tell. */
import { Failure } from '../../schema/failures.ts';

export function invalidInput(path: string, message: string): Failure {
  return new Failure('invalid_input', `${path}: ${message}`, { faults: [{ path, message }] });
}
