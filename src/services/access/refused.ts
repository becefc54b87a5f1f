/** The one answer to a bad credential. */
import { Failure } from '../../schema/failures.ts';

/** The same for every reason: a caller learns nothing about which keys exist. */
export function refused(cause?: unknown): Failure {
  return new Failure('unauthenticated', 'The credential is unknown, expired or revoked', { cause });
}
