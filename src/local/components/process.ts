/** Runs a program to its end, with a time limit and a line now and then. */
import { spawn } from 'node:child_process';

export interface RunOptions {
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
  cwd?: string;
  /** Called every 15 seconds with the seconds that have passed. */
  onTick?: (seconds: number) => void;
}

export interface Outcome {
  code: number | null;
  /** Both streams, the last 8 KB. */
  output: string;
  timedOut: boolean;
}

/**
 * Never rejects: a program that cannot be started has code null and says why. It runs in a process group of its own,
 * which is killed as a whole at the time limit and when this process ends.
 */
export function runToEnd(command: string, args: readonly string[], options: RunOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    const started = Date.now();
    const child = spawn(command, args, {
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let output = '';
    let timedOut = false;
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-8_192);
    };
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const ticker = setInterval(() => options.onTick?.(Math.round((Date.now() - started) / 1000)), 15_000);
    const limit = setTimeout(() => {
      timedOut = true;
      kill();
    }, options.timeoutMs);
    process.on('exit', kill);
    const end = (code: number | null) => {
      clearInterval(ticker);
      clearTimeout(limit);
      process.off('exit', kill);
      resolve({ code, output, timedOut });
    };
    child.on('error', (error) => {
      output += error.message;
      end(null);
    });
    child.on('close', (code) => end(code));
  });
}
