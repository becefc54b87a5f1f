/** The lock that names its holder: exclusive among the living, never held by the dead. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isAlive, lock, startTimeOf, tryLock } from '../../bin/lock.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ostinato-lock-'));
  path = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const own = () => ({ pid: process.pid, startTime: startTimeOf(process.pid) as string });

it('is taken once and free again after release, with no file left', async () => {
  const first = await tryLock(path);
  expect(first.holder).toBeUndefined();
  expect((await tryLock(path)).holder).toMatchObject(own());
  first.release?.();
  expect(readdirSync(folder)).toEqual([]);
  expect((await tryLock(path)).holder).toBeUndefined();
});

it('is taken from a process that is gone, and from a number that belongs to another process by now', async () => {
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  for (const holder of [
    { pid: gone, startTime: 'whenever' },
    { ...own(), startTime: 'another time' },
  ]) {
    writeFileSync(path, JSON.stringify(holder));
    const taken = await tryLock(path);
    expect(taken.holder).toBeUndefined();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject(own());
    taken.release?.();
  }
});

it('an unreadable lock file counts as stale', async () => {
  writeFileSync(path, 'half a li');
  expect((await tryLock(path)).holder).toBeUndefined();
});

it('of many that find a stale one, exactly one gets it', async () => {
  writeFileSync(path, JSON.stringify({ pid: 999_999_999, startTime: 'gone' }));
  const results = await Promise.all(Array.from({ length: 20 }, () => tryLock(path)));
  expect(results.filter(({ holder }) => holder === undefined)).toHaveLength(1);
});

it('a release takes away only its own', async () => {
  const first = await tryLock(path);
  rmSync(path);
  const second = await tryLock(path);
  first.release?.();
  expect(existsSync(path)).toBe(true);
  second.release?.();
  expect(existsSync(path)).toBe(false);
});

it('waits, says once for whom, and gives up in time', async () => {
  const first = await lock(path);
  const waited: number[] = [];
  await expect(lock(path, { timeoutMs: 400, onWait: ({ pid }) => waited.push(pid) })).rejects.toThrow(
    `held by process ${process.pid}`,
  );
  expect(waited).toEqual([process.pid]);
  setTimeout(() => first.release(), 100);
  (await lock(path, { timeoutMs: 5_000 })).release();
});

it('tells the living from the dead', () => {
  expect(isAlive(own())).toBe(true);
  expect(isAlive({ ...own(), startTime: 'x' })).toBe(false);
  expect(startTimeOf(0)).toBeUndefined();
  expect(startTimeOf(999_999_999)).toBeUndefined();
});
