/** The launcher on a fresh checkout: it installs once, never takes a broken install for a whole one, and passes on what it is told. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../../../bin', import.meta.url));
let root: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ostinato-launch-'));
  cpSync(BIN, join(root, 'bin'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{"name":"fresh","version":"1.0.0","type":"module"}');
  lockFile('1.0.0');
  writeFileSync(
    join(root, 'script.ts'),
    'const args: string[] = process.argv.slice(2); console.log("ran", ...args); process.exit(7);',
  );
});
afterEach(() => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

function lockFile(version: string): void {
  const packages = { '': { name: 'fresh', version } };
  writeFileSync(
    join(root, 'package-lock.json'),
    JSON.stringify({ name: 'fresh', version, lockfileVersion: 3, packages }),
  );
}

/** Puts an `npm` of our own first on PATH; it writes down each call and then does `body`. */
function npm(body: string): string {
  const folder = join(root, 'fake');
  mkdirSync(folder, { recursive: true });
  const head = `#!/bin/sh\necho "$@ skip=$ONNXRUNTIME_NODE_INSTALL" >> "${root}/calls"\n`;
  writeFileSync(join(folder, 'npm'), `${head}${body}\n`);
  chmodSync(join(folder, 'npm'), 0o755);
  return folder;
}

const INSTALLS = 'mkdir -p node_modules/some && echo whole > node_modules/some/file';
const calls = () =>
  existsSync(join(root, 'calls')) ? readFileSync(join(root, 'calls'), 'utf8').trim().split('\n') : [];

function launch(
  folder: string,
  ...args: string[]
): { child: ChildProcess; done: Promise<{ code: number | null; output: string }> } {
  const { npm_execpath: _, ...env } = process.env;
  const child = spawn(process.execPath, [join(root, 'bin', 'run.js'), ...args], {
    cwd: tmpdir(),
    env: { ...env, PATH: `${folder}:${dirname(process.execPath)}:/usr/bin:/bin` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  return { child, done: new Promise((resolve) => child.on('close', (code) => resolve({ code, output }))) };
}

it('installs on a fresh checkout, once, and ends with the exit code of the script', async () => {
  const folder = npm(INSTALLS);
  const first = await launch(folder, 'script.ts', 'a', 'b c').done;
  expect(first).toMatchObject({ code: 7 });
  expect(first.output).toContain('ran a b c');
  expect(calls()).toEqual(['ci --ignore-scripts --no-audit --no-fund --loglevel=error skip=skip']);
  const second = await launch(folder, 'script.ts').done;
  expect(second.output.trim()).toBe('ran');
  expect(calls()).toHaveLength(1);
});

it('installs again when the lock file has changed', async () => {
  const folder = npm(INSTALLS);
  await launch(folder, 'script.ts').done;
  lockFile('1.0.1');
  await launch(folder, 'script.ts').done;
  expect(calls()).toHaveLength(2);
});

it('a failed install runs nothing and is repeated', async () => {
  const failed = await launch(npm('mkdir -p node_modules/half; exit 3'), 'script.ts').done;
  expect(failed.code).toBe(1);
  expect(failed.output).toContain('npm ci failed (exit code 3)');
  expect(failed.output).not.toContain('ran');
  expect((await launch(npm(INSTALLS), 'script.ts').done).code).toBe(7);
  expect(calls()).toHaveLength(2);
});

it('an install that was broken off, even by kill -9, does not look finished', async () => {
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    const { child, done } = launch(npm('mkdir -p node_modules/half; exec sleep 30'), 'script.ts');
    await expect.poll(() => existsSync(join(root, 'node_modules', 'half')), { timeout: 20_000 }).toBe(true);
    child.kill(signal);
    expect((await done).code).not.toBe(0);
    const before = calls().length;
    expect((await launch(npm(INSTALLS), 'script.ts').done).code).toBe(7);
    expect(calls()).toHaveLength(before + 1);
    rmSync(join(root, 'node_modules'), { recursive: true });
  }
});

it('two at the same moment install once', async () => {
  const folder = npm(`sleep 1; ${INSTALLS}`);
  const results = await Promise.all([launch(folder, 'script.ts').done, launch(folder, 'script.ts').done]);
  expect(results.map(({ code }) => code)).toEqual([7, 7]);
  expect(calls()).toHaveLength(1);
});

it("takes over an install of npm's own hands", async () => {
  mkdirSync(join(root, 'node_modules'));
  writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages: {} }));
  expect((await launch(npm('exit 1'), 'script.ts').done).code).toBe(7);
  expect(calls()).toEqual([]);
});

it('passes signals on and waits for the script', async () => {
  writeFileSync(
    join(root, 'script.ts'),
    'process.on("SIGTERM", () => setTimeout(() => { console.log("drained"); process.exit(0); }, 100)); console.log("up"); setInterval(() => {}, 1000);',
  );
  const { child, done } = launch(npm(INSTALLS), 'script.ts');
  await new Promise<void>((resolve) => child.stdout?.on('data', (chunk) => String(chunk).includes('up') && resolve()));
  child.kill('SIGTERM');
  expect(await done).toMatchObject({ code: 0, output: expect.stringContaining('drained') });
});
