/** What went wrong, told in one or two lines: what and where, then what to do. */
import { CommanderError } from 'commander';
import { ConfigError } from '../schema/config.ts';
import type { Fault } from '../schema/failures.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { clean } from './text.ts';

/** An error that is ready to be shown. `hint` says what to do about it. */
export class CliError extends Error {
  readonly exit: ExitCode;
  readonly hint: string | undefined;
  /** The API's own code where it gave one. */
  readonly code: string | undefined;
  /** Every fault that the API named; the hint shows the first. */
  readonly faults: readonly Fault[];

  constructor(
    exit: ExitCode,
    message: string,
    options: { hint?: string; code?: string; cause?: unknown; faults?: readonly Fault[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.exit = exit;
    this.hint = options.hint;
    this.code = options.code;
    this.faults = options.faults ?? [];
  }
}

/** The error's lines for stderr and the exit code that goes with it. */
export function explain(error: unknown): { lines: string[]; exit: ExitCode } {
  if (error instanceof CliError) {
    const lines = [`ostinato: ${clean(error.message)}`];
    if (error.hint) lines.push(`  ${clean(error.hint)}`);
    return { lines, exit: error.exit };
  }
  if (error instanceof ConfigError) {
    return {
      lines: error.problems.map((problem) => `ostinato: setting ${clean(problem)}`),
      exit: EXIT.usage,
    };
  }
  // commander has written its own line by now; only asking for help or the version is no fault.
  if (error instanceof CommanderError) return { lines: [], exit: error.exitCode === 0 ? EXIT.ok : EXIT.usage };
  const message = error instanceof Error ? error.message : String(error);
  return { lines: [`ostinato: ${clean(message)}`], exit: EXIT.failed };
}

/** Statuses whose exit code does not depend on what was asked for. */
const EXIT_BY_STATUS: Record<number, ExitCode> = {
  400: EXIT.usage,
  401: EXIT.denied,
  403: EXIT.denied,
  404: EXIT.notFound,
  429: EXIT.unreachable,
  502: EXIT.unreachable,
  503: EXIT.unreachable,
  504: EXIT.unreachable,
};
/** Codes that say more than their status: a failed fetch or a broken upload is failed work. */
const EXIT_BY_CODE: Record<string, ExitCode> = { fetch_failed: EXIT.failed, upload_broken: EXIT.failed };

const HINTS: Record<string, string> = {
  unauthenticated: 'Give a valid key with --key or OSTINATO_API_KEY.',
  forbidden: "This key's role or grants do not allow it: ask an admin for another (`ostinato keys create`).",
  too_many_requests: 'Wait a moment and try again.',
  unavailable: 'Try again shortly; GET /health names the component.',
};
const FAULTS_SHOWN = 3;

/** A problem document (RFC 9457) of the API as an error: `title`, `detail`, `code`, `errors[]`. */
export function problemError(status: number, problem: Record<string, unknown>, where: string): CliError {
  const code = typeof problem.code === 'string' ? problem.code : undefined;
  const detail = [problem.detail, problem.title].find((text) => typeof text === 'string' && text !== '');
  const faults = faultsOf(problem.errors);
  const shown = faults
    .slice(0, FAULTS_SHOWN)
    .map((fault) => (fault.path ? `${fault.path}: ${fault.message}` : fault.message));
  if (faults.length > FAULTS_SHOWN) shown.push(`and ${faults.length - FAULTS_SHOWN} more`);
  const hint = shown.length > 0 ? shown.join('; ') : code === undefined ? undefined : HINTS[code];
  return new CliError(
    (code === undefined ? undefined : EXIT_BY_CODE[code]) ?? EXIT_BY_STATUS[status] ?? EXIT.failed,
    `${String(detail ?? 'the request failed')} [${code ?? `HTTP ${status}`}, ${where}]`,
    { faults, ...(hint === undefined ? {} : { hint }), ...(code === undefined ? {} : { code }) },
  );
}

function faultsOf(errors: unknown): Fault[] {
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((entry: unknown) => {
    if (typeof entry === 'string') return [{ path: '', message: entry }];
    if (typeof entry !== 'object' || entry === null) return [];
    const { path, message } = entry as Record<string, unknown>;
    return typeof message === 'string' ? [{ path: typeof path === 'string' ? path : '', message }] : [];
  });
}
