/** This process as the surroundings of a run: its streams, and Ctrl-C as an aborted signal. */
import { readFileSync } from 'node:fs';
import type { Io } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** A launcher passes the signal on that the terminal has sent already: only a later one is a second Ctrl-C. */
const SAME_SIGNAL_MS = 500;
/** What an orderly end may take. */
const GRACE_MS = 5_000;

export interface ProcessIo extends Io {
  /** Ends the process with `code`, or with 143 when SIGTERM asked for the end. */
  exit(code: ExitCode): void;
}

export function processIo(): ProcessIo {
  const controller = new AbortController();
  let first = 0;
  let terminated = false;
  const end = (code: number) => process.exit(code);
  for (const [name, code] of [
    ['SIGINT', EXIT.interrupted],
    ['SIGTERM', EXIT.terminated],
    ['SIGHUP', EXIT.terminated],
  ] as const) {
    process.on(name, () => {
      if (first !== 0 && Date.now() - first > SAME_SIGNAL_MS) end(code);
      if (first !== 0) return;
      first = Date.now();
      terminated = name !== 'SIGINT';
      controller.abort();
      setTimeout(end, GRACE_MS, code).unref();
    });
  }
  // The reader has seen enough (`| head`): no fault of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed));
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: controller.signal,
    version: readVersion(),
    exit(code) {
      // Whatever is still in the pipes goes out first; a client's open stdin must not keep us.
      process.exitCode = terminated && code === EXIT.interrupted ? EXIT.terminated : code;
      process.stdin.unref?.();
      process.stdout.write('', () => process.stderr.write('', () => process.exit()));
    },
  };
}

function readVersion(): string {
  const path = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
