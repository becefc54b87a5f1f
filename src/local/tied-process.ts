/** Processes that end with this one: started in groups of their own, ended by group, and what earlier ones left. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isAlive } from '../../bin/lock.js';
import { inheritedEnvironment } from '../schema/config.ts';

/** Util-linux's program; others of that name do not know the option. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find(
  (path) => existsSync(path) && spawnSync(path, ['--pdeathsig', 'KILL', '--', 'true']).status === 0,
);
const GUARD = fileURLToPath(new URL('./parent-watch.ts', import.meta.url));

export interface TiedCommand {
  command: string;
  args: string[];
  /** Added to the inherited environment. */
  env?: Record<string, string>;
  cwd?: string;
  uid?: number;
  gid?: number;
  /** Descriptor that the child finds as number 3. */
  descriptor?: number;
  /** Keeps its stdin open as a pipe for children that call `watchSupervisor`. */
  watchesStdin?: boolean;
  /** What ends it when this process is gone. */
  deathSignal?: NodeJS.Signals;
}

/**
 * A command that ends with `deathSignal` when this process is gone, also after kill -9. Where the kernel cannot do
 * that, a small process of ours stands in between and watches its stdin, which must then be a pipe from here.
 */
export function tied(
  command: string,
  args: readonly string[],
  deathSignal: NodeJS.Signals,
): { command: string; args: string[]; needsPipe: boolean } {
  if (SETPRIV !== undefined) {
    const signal = deathSignal.replace('SIG', '');
    return { command: SETPRIV, args: ['--pdeathsig', signal, '--', command, ...args], needsPipe: false };
  }
  const guard = ['--disable-warning=ExperimentalWarning', GUARD, '--guard', deathSignal];
  return { command: process.execPath, args: [...guard, command, ...args], needsPipe: true };
}

/** Starts a child in a process group of its own that dies with this process. */
export function spawnTied(spec: TiedCommand): ChildProcess {
  const watches = spec.watchesStdin === true;
  // A child that watches its own stdin needs no guard.
  const { command, args, needsPipe } =
    watches && SETPRIV === undefined
      ? { command: spec.command, args: spec.args, needsPipe: true }
      : tied(spec.command, spec.args, spec.deathSignal ?? 'SIGKILL');
  return spawn(command, args, {
    detached: true,
    cwd: spec.cwd,
    env: { ...inheritedEnvironment(), ...spec.env },
    stdio: [watches || needsPipe ? 'pipe' : 'ignore', 'pipe', 'pipe', spec.descriptor],
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    ...(spec.gid === undefined ? {} : { gid: spec.gid }),
  });
}

/** Ends a child at once, with all that it started. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

/**
 * Ends processes that an earlier run left, each only while its start time still proves that it is the same process:
 * asked first, killed after `graceMs`.
 */
export async function stopLeftovers(
  leftovers: readonly { name: string; pid: number; startTime: string }[],
  options: { report: (line: string) => void; graceMs?: number },
): Promise<void> {
  const alive = leftovers.filter(isAlive);
  if (alive.length === 0) return;
  options.report(`stopping what an earlier run left: ${alive.map(({ name, pid }) => `${name} (${pid})`).join(', ')}`);
  const send = (signal: NodeJS.Signals) => {
    for (const holder of alive) {
      if (!isAlive(holder)) continue;
      try {
        process.kill(holder.pid, signal);
      } catch {
        // Gone in between.
      }
    }
  };
  send('SIGTERM');
  send('SIGINT');
  const end = Date.now() + (options.graceMs ?? 10_000);
  while (alive.some(isAlive)) {
    if (Date.now() > end) send('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
