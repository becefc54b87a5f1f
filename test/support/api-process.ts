/** API processes as they really run, on the stores of a test's stack. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/local/ports.ts';
import { toEnvironment } from '../../src/schema/config.ts';
import type { TestStack } from './stack.ts';

const API = fileURLToPath(new URL('../../src/api/main.ts', import.meta.url));

export interface ApiProcess {
  port: number;
  url: string;
  /** Resolves once the process is gone; a second call is none. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Starts one on a free port; resolves when it says that it is ready, rejects when it ends instead. */
export async function startApiProcess(stack: TestStack, settings: Record<string, string> = {}): Promise<ApiProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', API], {
    env: {
      PATH: process.env.PATH ?? '',
      ...toEnvironment(stack.config({ SERVER_PORT: String(port), ...settings })),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await isReady(child);
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await gone;
    },
  };
}

function isReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk) => String(chunk).includes('"ready":true') && resolve());
    child.once('exit', (code) => reject(new Error(`the API ended with ${code}`)));
  });
}
