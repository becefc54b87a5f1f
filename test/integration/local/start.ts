/** Starts `npm start` as a process of its own, with stand-ins for the API and the worker. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isAlive } from '../../../bin/lock.js';
import { freePort } from '../../../src/local/ports.ts';
import { type Runtime, readRuntime } from '../../../src/local/runtime.ts';

const MAIN = fileURLToPath(new URL('./fake/main.ts', import.meta.url));

export interface Started {
  child: ChildProcess;
  output(): string;
  /** Resolves with everything that was said by then; rejects when the process ends before. */
  said(text: string | RegExp, seconds?: number): Promise<string>;
  exited: Promise<number | null>;
  runtime(): Runtime;
}

export interface StartOptions {
  env?: Record<string, string>;
  args?: string[];
  uid?: number;
  /** Another Node than the running one. */
  node?: string;
  /** Another program than the stand-in. */
  main?: string;
}

export interface Room {
  dataDir: string;
  port: number;
  start(options?: StartOptions): Started;
  /** What the data folder's file holds. */
  read(name: string): string;
  /** Ends what is left and removes the folder. */
  close(): Promise<void>;
}

/** A data folder below one that only its owner may enter, and a port. */
export async function openRoom(): Promise<Room> {
  const parent = mkdtempSync(join(tmpdir(), 'ostinato-start-'));
  const dataDir = join(parent, 'data');
  const port = await freePort();
  const all: Started[] = [];
  return {
    dataDir,
    port,
    start(options = {}) {
      const started = start(dataDir, port, options);
      all.push(started);
      return started;
    },
    read: (name) => readFileSync(join(dataDir, name), 'utf8'),
    async close() {
      for (const { child, exited } of all) {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
        await exited;
      }
      rmSync(parent, { recursive: true, force: true });
    },
  };
}

function start(dataDir: string, port: number, options: StartOptions): Started {
  const child = spawn(
    options.node ?? process.execPath,
    ['--disable-warning=ExperimentalWarning', options.main ?? MAIN, ...(options.args ?? [])],
    {
      cwd: tmpdir(),
      env: { ...process.env, DATA_DIR: dataDir, SERVER_PORT: String(port), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    },
  );
  let output = '';
  const listeners = new Set<() => void>();
  const hear = (chunk: Buffer) => {
    output += chunk.toString();
    for (const listener of listeners) listener();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  return {
    child,
    output: () => output,
    exited,
    runtime() {
      const runtime = readRuntime(dataDir);
      if (runtime === undefined) throw new Error(`no runtime.json; output:\n${output}`);
      return runtime;
    },
    said(text, seconds = 60) {
      return new Promise((resolve, reject) => {
        const look = () => {
          if (typeof text === 'string' ? !output.includes(text) : !text.test(output)) return;
          listeners.delete(look);
          clearTimeout(timer);
          resolve(output);
        };
        const timer = setTimeout(() => reject(new Error(`"${text}" was not said; output:\n${output}`)), seconds * 1000);
        listeners.add(look);
        void exited.then((code) => {
          clearTimeout(timer);
          reject(new Error(`ended with ${code} before saying "${text}"; output:\n${output}`));
        });
        look();
      });
    },
  };
}

/** Polls until `condition` holds; rejects after `seconds`. */
export async function until(what: string, condition: () => boolean, seconds = 30): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not in ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Of the processes that a runtime.json names, those that still run. */
export function alive(runtime: Runtime): string[] {
  return runtime.processes.filter(isAlive).map(({ name }) => name);
}
