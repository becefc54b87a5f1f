/** The whole system as a user starts it, in a data folder of its own: for tests that look at it from outside. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/local/ports.ts';
import { readRuntime } from '../../src/local/runtime.ts';
import { UNLIMITED } from './stack.ts';

const MAIN = fileURLToPath(new URL('../../src/local/main.ts', import.meta.url));

export type Part = 'worker' | 'api' | 'temporal' | 'postgres';

export interface System {
  url: string;
  dataDir: string;
  key: string;
  /** Everything the system printed so far. */
  output(): string;
  /** Calls the API with the admin key; rejects when it cannot be reached. */
  call(
    method: string,
    path: string,
    body?: BodyInit | Record<string, unknown>,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: any; headers: Headers }>;
  /** Kill -9 of one part, by the process id that the system itself noted. */
  kill(part: Part): void;
  /** The same as soon as the part is there: an earlier kill may still be on its mind. */
  killWhenUp(part: Part): Promise<void>;
  stop(): Promise<number | null>;
}

/**
 * Starts the system, without limits of rate unless told, and waits until it says that it is ready; rejects with its
 * output when it ends instead. Where the port is left to chance and somebody else takes it in between, it is started
 * again on another.
 */
export async function startSystem(
  env: Record<string, string> = {},
  dataDir = mkdtempSync(join(tmpdir(), 'ostinato-')),
): Promise<System> {
  if (env.SERVER_PORT !== undefined) return startOn(Number(env.SERVER_PORT), env, dataDir);
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    try {
      return await startOn(port, env, dataDir);
    } catch (error) {
      if (tries === 3 || !String(error).includes(`${port} is taken`)) throw error;
    }
  }
}

async function startOn(port: number, env: Record<string, string>, dataDir: string): Promise<System> {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      LOG_LEVEL: 'warn',
      EMBEDDINGS: 'hash',
      EMBEDDING_DIMENSIONS: '128',
      ...UNLIMITED,
      ...env,
      DATA_DIR: dataDir,
      SERVER_PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  await ready(child, dataDir, () => output);
  const url = `http://127.0.0.1:${port}`;
  const key = env.API_KEY ?? readFileSync(join(dataDir, 'admin-key'), 'utf8').trim();
  return {
    url,
    dataDir,
    key,
    output: () => output,
    call: (method, path, body, headers) => call(url, key, method, path, body, headers),
    kill: (part) => kill(dataDir, part),
    async killWhenUp(part) {
      for (const until = Date.now() + 60_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
        try {
          return kill(dataDir, part);
        } catch (error) {
          if (Date.now() > until) throw error;
        }
      }
    },
    stop: () => stop(child),
  };
}

function kill(dataDir: string, part: Part): void {
  const pid = readRuntime(dataDir)?.processes.find((process) => process.name === part)?.pid;
  if (pid === undefined) throw new Error(`${part} is not running`);
  process.kill(pid, 'SIGKILL');
}

async function ready(child: ChildProcess, dataDir: string, output: () => string): Promise<void> {
  const until = Date.now() + 180_000;
  while (!readRuntime(dataDir)?.ready) {
    if (child.exitCode !== null || Date.now() > until) {
      child.kill('SIGTERM');
      throw new Error(`the system did not start:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.kill('SIGTERM');
  });
}

async function call(
  url: string,
  key: string,
  method: string,
  path: string,
  body?: BodyInit | Record<string, unknown>,
  headers: Record<string, string> = {},
) {
  const json = body !== undefined && Object.getPrototypeOf(body) === Object.prototype;
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(json ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : (body as BodyInit) }),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, body: type.includes('json') ? JSON.parse(text) : text, headers: response.headers };
}

/** Uploads bytes as a file of a form. */
export async function upload(
  system: System,
  source: string,
  filename: string,
  content: Uint8Array,
  headers: Record<string, string> = {},
) {
  const form = new FormData();
  form.set('source_type', source);
  form.set('file', new Blob([new Uint8Array(content)]), filename);
  return system.call('POST', '/api/v1/files', form, headers);
}

/** Polls a file until it is over; survives outages of the API. Rejects after `seconds`. */
export async function untilOver(system: System, fileId: string, seconds = 120): Promise<any> {
  const until = Date.now() + seconds * 1000;
  let last: unknown;
  while (Date.now() < until) {
    try {
      const { status, body } = await system.call('GET', `/api/v1/files/${fileId}`);
      last = body;
      if (status === 200 && ['completed', 'failed', 'cancelled'].includes(body.status)) return body;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`file ${fileId} was not over after ${seconds} s: ${JSON.stringify(last)}`);
}

export function removeDataDir(system: System): void {
  rmSync(system.dataDir, { recursive: true, force: true });
}
