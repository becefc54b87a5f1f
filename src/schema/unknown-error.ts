/** Turns whatever was thrown into a Failure that may be shown. */
import { Failure } from './failures.ts';

/** Codes of node, Postgres and gRPC that mean "not there right now" rather than "wrong". */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  '57P01',
  '57P02',
  '57P03',
  '08006',
  '08001',
  '08003',
  '53300',
]);
const GRPC_UNAVAILABLE = 14;
const GRPC_DEADLINE = 4;

export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (isBadValue(error)) return new Failure('invalid_input', 'A value has the wrong form', { cause: error });
  if (isUnreachable(error))
    return new Failure('unavailable', 'A component did not answer; try again shortly', { cause: error });
  return new Failure('internal', 'Something went wrong here; the log has it under this request id', { cause: error });
}

/** Whether trying again later can help, going by codes alone (messages change). */
export function isUnreachable(error: unknown): boolean {
  for (let e: unknown = error, depth = 0; typeof e === 'object' && e !== null && depth < 5; depth++) {
    const { code, cause, message } = e as { code?: unknown; cause?: unknown; message?: unknown };
    if (typeof code === 'string' && UNREACHABLE.has(code)) return true;
    if (code === GRPC_UNAVAILABLE || code === GRPC_DEADLINE) return true;
    // pg-pool gives these without a code.
    if (typeof message === 'string' && /^(Connection terminated|timeout exceeded when trying to connect)/.test(message))
      return true;
    e = cause;
  }
  return false;
}

/** Postgres' data exceptions that only a caller's value can cause: not a uuid, not a time, out of range, holds NUL. */
const BAD_VALUE: ReadonlySet<unknown> = new Set(['22P02', '22007', '22008', '22003', '22021', '22P05']);

function isBadValue(error: unknown): boolean {
  return BAD_VALUE.has((error as { code?: unknown } | null)?.code);
}
