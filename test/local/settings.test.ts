/** What a start keeps in its data folder: keys that stay, and a folder for one process. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ensureKeys } from '../../src/local/keys.ts';
import { freePort, isFree } from '../../src/local/ports.ts';
import { FolderInUse, readRuntime, takeFolder, writeRuntime } from '../../src/local/runtime.ts';
import { loadConfig } from '../../src/schema/config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ostinato-settings-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('makes the keys once, for the owner alone, and leaves those that are set', () => {
  const lines: string[] = [];
  const config = loadConfig({ cwd: folder, env: { JWT_SECRET: 'given by the environment, and long enough' } });
  const first = ensureKeys(config, (line) => lines.push(line));
  expect(first.JWT_SECRET).toBe('given by the environment, and long enough');
  expect(first.MASTER_KEY).toMatch(/^[0-9a-f]{64}$/);
  expect(first.PAYLOAD_KEY).not.toBe(first.MASTER_KEY);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('warning: made MASTER_KEY, PAYLOAD_KEY');
  const file = join(folder, '.data', 'keys', 'MASTER_KEY');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8').trim()).toBe(first.MASTER_KEY);

  expect(ensureKeys(config, (line) => lines.push(line))).toEqual(first);
  expect(lines).toHaveLength(1);
});

it('gives the folder to one process', async () => {
  const data = join(folder, 'data');
  const held = await takeFolder(data);
  expect(statSync(data).mode & 0o777).toBe(0o700);
  await expect(takeFolder(data)).rejects.toThrow(FolderInUse);
  held.release();
  (await takeFolder(data)).release();
});

it('reads back what runs, and nothing from a broken file', () => {
  expect(readRuntime(folder)).toBeUndefined();
  const runtime = {
    pid: 1,
    startTime: 'a',
    started_at: 'b',
    ready: true,
    processes: [],
    addresses: { api: 'http://x' },
  };
  writeRuntime(folder, runtime);
  expect(readRuntime(folder)).toEqual(runtime);
});

it('finds ports below those of outgoing connections', async () => {
  const port = await freePort();
  expect(port).toBeGreaterThanOrEqual(15_000);
  expect(port).toBeLessThan(32_768);
  expect(await isFree(port)).toBe(true);
});
