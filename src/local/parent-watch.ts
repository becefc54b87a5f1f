/** Ways for a process to notice that the one that started it is gone, also after kill -9. */
import { spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';

/** The argument a supervised child is given; its stdin is then a pipe that ends with its parent. */
export const SUPERVISED = '--supervised';

/**
 * Calls `onGone` once when the supervisor is gone. Does nothing in a process that was started by hand or by a
 * container engine, whose stdin says nothing about a parent.
 */
export function watchSupervisor(onGone: () => void, argv: readonly string[] = process.argv): void {
  if (!argv.includes(SUPERVISED)) return;
  let told = false;
  const gone = () => {
    if (told) return;
    told = true;
    onGone();
  };
  process.stdin.on('end', gone).on('close', gone).on('error', gone).resume();
  // The pipe alone must not keep a process alive that has finished its work.
  (process.stdin as unknown as { unref?: () => void }).unref?.();
}

/** Calls `onGone` once when the process that started this one is gone; looked at twice a second. */
export function watchParentProcess(onGone: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, 500);
  timer.unref();
}

/**
 * Stands between the supervisor and a program that cannot watch a pipe, where the system has no `setpriv`:
 * `node parent-watch.ts --guard SIGNAL COMMAND …` runs the command and sends it SIGNAL when stdin ends.
 */
function guard(deathSignal: NodeJS.Signals, command: string, args: string[]): void {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', handedFolder()] });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const) process.on(signal, () => child.kill(signal));
  process.stdin.on('end', () => child.kill(deathSignal)).resume();
  child.on('error', (error) => {
    console.error(`${command} could not be started: ${error.message}`);
    process.exit(127);
  });
  child.on('exit', (code) => process.exit(code ?? 1));
}

/** A folder that the supervisor opened for the program is handed on under the same number. */
function handedFolder(): number | 'ignore' {
  try {
    return fstatSync(3).isDirectory() ? 3 : 'ignore';
  } catch {
    return 'ignore';
  }
}

if (import.meta.main && process.argv[2] === '--guard') {
  const [signal, command, ...args] = process.argv.slice(3);
  if (signal !== undefined && command !== undefined) guard(signal as NodeJS.Signals, command, args);
}
