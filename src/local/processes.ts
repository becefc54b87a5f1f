/** Our own API and worker as supervised children, and what they are told. */
import { fileURLToPath } from 'node:url';
import { type Config, toEnvironment } from '../schema/config.ts';
import { SUPERVISED } from './parent-watch.ts';
import type { Stack } from './stack.ts';
import type { ServiceSpec } from './supervise.ts';

/** Seconds that a worker may take to finish what it is doing. */
const DRAIN_SECONDS = 20;

/** What each is started from; tests put their own in. */
export const SCRIPTS = {
  worker: fileURLToPath(new URL('../workers/main.ts', import.meta.url)),
  api: fileURLToPath(new URL('../api/main.ts', import.meta.url)),
};

/** A child of ours: it prints a line of JSON with `"ready":true` when it works, and drains on SIGTERM. */
export function ownProcess(name: keyof typeof SCRIPTS, script: string, config: Config, stack: Stack): ServiceSpec {
  const { temporal } = stack;
  return {
    name,
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', script, SUPERVISED],
    env: {
      // One heap for native memory a core is enough: more of them only keep what was freed.
      MALLOC_ARENA_MAX: '2',
      ...toEnvironment({
        ...config,
        DATABASE_URL: stack.databaseUrl,
        TEMPORAL_ADDRESS: stack.temporalAddress,
        // The API shows the embedded Web UI under its own address.
        ...(temporal === undefined ? {} : { TEMPORAL_UI_PORT: Number(new URL(temporal.uiUrl).port) }),
      }),
    },
    watchesStdin: true,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: name === 'worker' ? (DRAIN_SECONDS + 2) * 1000 : 10_000,
    readyTimeoutMs: 120_000,
    isReady: (line) => line !== undefined && saysReady(line),
  };
}

function saysReady(line: string): boolean {
  if (!line.startsWith('{') || !line.includes('"ready"')) return false;
  try {
    return (JSON.parse(line) as { ready?: unknown }).ready === true;
  } catch {
    return false;
  }
}
