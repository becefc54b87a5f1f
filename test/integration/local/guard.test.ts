/** Where the kernel cannot end a child with its parent, a small process of ours does; and children that watch their stdin. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTimeOf } from '../../../bin/lock.js';
import { until } from './start.ts';

const GUARD = fileURLToPath(new URL('../../../src/local/parent-watch.ts', import.meta.url));
let folder: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ostinato-guard-'));
});
afterEach(() => {
  if (child?.exitCode === null) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function pidIn(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
}

it('ends what it guards when its stdin ends', async () => {
  const note = join(folder, 'pid');
  const command = ['sh', '-c', `echo $$ > ${note}; exec sleep 60`];
  child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', GUARD, '--guard', 'SIGKILL', ...command], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  await until('the guarded one runs', () => pidIn(note) > 0);
  const pid = pidIn(note);
  expect(startTimeOf(pid)).toBeDefined();
  child.stdin?.end();
  await until('the guarded one is gone', () => startTimeOf(pid) === undefined);
});

it('a supervised child is told when its supervisor is gone, another one is not', async () => {
  const script = join(folder, 'child.ts');
  writeFileSync(
    script,
    `import { watchSupervisor } from ${JSON.stringify(GUARD)};
     watchSupervisor(() => process.exit(9));
     setTimeout(() => process.exit(4), process.argv.includes('--supervised') ? 60_000 : 1_000);`,
  );
  const exit = (args: string[]) => {
    const started = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...args], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    child = started;
    started.stdin.end();
    return new Promise((resolve) => started.on('exit', resolve));
  };
  expect(await exit(['--supervised'])).toBe(9);
  expect(await exit([])).toBe(4);
});
