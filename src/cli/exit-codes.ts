/** Exit codes that scripts can build on, and the texts that `--help` and the README show of them. */

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  denied: 4,
  notFound: 5,
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const MEANINGS: [ExitCode, string][] = [
  [EXIT.ok, 'done'],
  [EXIT.failed, 'the work failed: a file, task or run was rejected, failed or was cancelled, or a request conflicts'],
  [EXIT.usage, 'wrong usage, input or settings'],
  [EXIT.unreachable, 'the API cannot be reached or is unavailable for now: try again'],
  [EXIT.denied, 'not authenticated or not allowed'],
  [EXIT.notFound, 'not found'],
  [EXIT.interrupted, 'interrupted (Ctrl-C)'],
  [EXIT.terminated, 'ended by SIGTERM'],
];

/** The table of codes as `--help` ends with it. */
export function exitCodesHelp(): string {
  const lines = MEANINGS.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`);
  return `\nExit codes:\n${lines.join('\n')}`;
}
