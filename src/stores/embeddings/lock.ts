/** A lock between processes as a file that names its holder; a dead holder's lock is taken over. */
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 250;

/** Runs `step` while holding `file`. Waits for another holder until `signal` ends it. */
export async function withLock<T>(file: string, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
  while (!(await acquire(file))) {
    await breakIfDead(file);
    await sleep(POLL_MS, undefined, { signal });
  }
  try {
    return await step();
  } finally {
    await rm(file, { force: true });
  }
}

/** By a link to a file that already holds the name: a lock is never seen without its holder. */
async function acquire(file: string): Promise<boolean> {
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, `${process.pid}`);
  try {
    await link(own, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** Moving it aside first: of two waiters that see the same dead holder only one can, and a new lock stays. */
async function breakIfDead(file: string): Promise<void> {
  const holder = Number(await readFile(file, 'utf8').catch(() => ''));
  if (!Number.isSafeInteger(holder) || holder <= 0 || isAlive(holder)) return;
  const aside = `${file}.${holder}`;
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  await rm(aside, { force: true });
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
