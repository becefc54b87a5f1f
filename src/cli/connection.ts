/** Faults of the connection to the API, told apart from answers of the API. */
import { errors } from 'undici';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host name cannot be looked up now',
  ETIMEDOUT: 'timed out',
  EHOSTUNREACH: 'no route to the host',
  EPIPE: 'connection closed',
  UND_ERR_CONNECT_TIMEOUT: 'timed out while connecting',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'the answer stopped coming',
  UND_ERR_SOCKET: 'connection closed',
};

/** The error as one with exit code 3 when the connection is at fault; other errors come back as they are. */
export function connectionError(error: unknown, url: string): unknown {
  if (error instanceof CliError || isAbort(error)) return error;
  const code = codeOf(error);
  if (code === undefined) return error;
  return new CliError(EXIT.unreachable, `The API at ${url} does not answer (${REASONS[code] ?? code})`, {
    hint: 'Start it with `npm start`, or name another with --url or OSTINATO_URL.',
    cause: error,
  });
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error instanceof errors.RequestAbortedError);
}

/** The system's or undici's code of a connection fault, also where it is wrapped or one of several. */
function codeOf(error: unknown): string | undefined {
  for (let e = error, depth = 0; e instanceof Error && depth < 5; depth++) {
    const { code } = e as { code?: unknown };
    if (
      typeof code === 'string' &&
      (code in REASONS || /^(E[A-Z]+|CERT_|DEPTH_ZERO|UNABLE_TO|ERR_TLS|ERR_SSL)/.test(code))
    ) {
      return code;
    }
    if (e instanceof errors.SocketError) return 'UND_ERR_SOCKET';
    e = e instanceof AggregateError ? e.errors[0] : e.cause;
  }
  return undefined;
}
