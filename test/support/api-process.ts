/** API and worker processes as they really run, on the stores of a test's stack. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/local/ports.ts';
import { toEnvironment } from '../../src/schema/config.ts';
import type { TestStack } from './stack.ts';

const program = (room: 'api' | 'workers') => fileURLToPath(new URL(`../../src/${room}/main.ts`, import.meta.url));

export interface OurProcess {
  /** Resolves once the process is gone; a second call is none. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export interface ApiProcess extends OurProcess {
  port: number;
  url: string;
}

type Stack = Pick<TestStack, 'config'>;

/** Starts one on a free port; resolves when it says that it is ready, rejects when it ends instead. */
export async function startApiProcess(stack: Stack, settings: Record<string, string> = {}): Promise<ApiProcess> {
  const port = await freePort();
  const started = await start('api', stack, { SERVER_PORT: String(port), ...settings });
  return { port, url: `http://127.0.0.1:${port}`, ...started };
}

/** The same for one worker with everything in it. */
export async function startWorkerProcess(stack: Stack, settings: Record<string, string> = {}): Promise<OurProcess> {
  return start('workers', stack, settings);
}

async function start(room: 'api' | 'workers', stack: Stack, settings: Record<string, string>): Promise<OurProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program(room)], {
    env: { PATH: process.env.PATH ?? '', ...toEnvironment(stack.config(settings)) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await isReady(child, room, () => said);
  child.stderr.pipe(process.stderr);
  return {
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await gone;
    },
  };
}

function isReady(child: ChildProcess, room: string, said: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk) => String(chunk).includes('"ready":true') && resolve());
    child.once('exit', (code) => reject(new Error(`${room} ended with ${code}: ${said()}`)));
  });
}
