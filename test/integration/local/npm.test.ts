/** The command of the README itself: `npm start` ends in order and with 0 whoever is told to end, and leaves nothing. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isAlive } from '../../../bin/lock.js';
import { freePort } from '../../../src/local/ports.ts';
import { readRuntime } from '../../../src/local/runtime.ts';
import { alive, until } from './start.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ostinato-npm-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function npmStart() {
  const child = spawn('npm', ['start', '--', '--servers-only'], {
    cwd: ROOT,
    env: { ...process.env, DATA_DIR: folder, SERVER_PORT: String(await freePort()) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const hear = (chunk: Buffer) => {
    output += chunk.toString();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  await until(`ready; so far: ${output}`, () => output.includes('ready in') || child.exitCode !== null, 60);
  const runtime = readRuntime(folder);
  if (runtime === undefined) throw new Error(output);
  return { child, exited, runtime };
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  it(`${signal} to npm`, async () => {
    const { child, exited, runtime } = await npmStart();
    child.kill(signal);
    expect(await exited).toBe(0);
    expect([...alive(runtime), isAlive(runtime)]).toEqual([false]);
  });
}

it('kill -9 of npm', async () => {
  const { child, runtime } = await npmStart();
  child.kill('SIGKILL');
  await until('everything is gone', () => alive(runtime).length === 0 && !isAlive(runtime), 30);
});
