/** What an S3 server or the way to it did wrong, in words that hold no secret. */
import { Failure } from '../../schema/failures.ts';

function statusOf(error: unknown): number | undefined {
  const metadata = error instanceof Error && '$metadata' in error ? error.$metadata : undefined;
  const status =
    typeof metadata === 'object' && metadata && 'httpStatusCode' in metadata ? metadata.httpStatusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}

export function isStatus(error: unknown, status: number): boolean {
  return statusOf(error) === status;
}

const UNREACHABLE = /ECONNREFUSED|ECONNRESET|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT|EPIPE|TimeoutError|AbortError/;

/** The SDK hangs the whole exchange on its errors, signatures included: only the words go on. */
function plain(error: Error): Error {
  return new Error(`${error.name}: ${error.message}`);
}

/** What the server or the network did, as a Failure; what the caller's own stream threw stays as it is. */
export function explain(error: unknown, endpoint: string): unknown {
  if (!(error instanceof Error) || error instanceof Failure) return error;
  const host = new URL(endpoint).host;
  const status = statusOf(error);
  if (status === 401 || status === 403) {
    return new Failure('unavailable', `The object store at ${host} refuses the credentials (${error.name})`, {
      cause: plain(error),
    });
  }
  const code = 'code' in error ? String(error.code) : '';
  if ((status !== undefined && status >= 500) || UNREACHABLE.test(`${error.name} ${code}`)) {
    return new Failure('unavailable', `The object store at ${host} does not answer (${code || error.name})`, {
      cause: plain(error),
    });
  }
  return error;
}
