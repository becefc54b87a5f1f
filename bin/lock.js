/** A lock file that names its holder by process id and start time, so that a lock of a dead process never blocks. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * When a process started, as a text that is the same for as long as it lives and differs for a later process of
 * the same id, also after a reboot. Undefined when there is no such process (a zombie counts as none).
 */
export function startTimeOf(pid) {
  if (!Number.isInteger(pid) || pid < 1) return undefined;
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The command stands in parentheses and may hold spaces and parentheses itself.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)}-${fields[19]}`;
    } catch {
      return undefined;
    }
  }
  if (process.platform === 'win32') {
    try {
      process.kill(pid, 0);
      return 'alive';
    } catch {
      return undefined;
    }
  }
  try {
    const out = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return out === '' || out.startsWith('Z') ? undefined : out.replace(/^\S+\s+/, '');
  } catch {
    return undefined;
  }
}

/** Whether the process of this id is still the one that started then. */
export function isAlive(holder) {
  const started = startTimeOf(holder.pid);
  return started !== undefined && started === holder.startTime;
}

function read(path) {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8'));
    return typeof holder?.pid === 'number' && typeof holder?.startTime === 'string' ? holder : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes the lock and returns what releases it, or the holder when a living process has it. The file appears whole
 * (a link to a written file), a stale one is moved away before it is judged again, and whoever moved one away looks
 * twice, because two may have done so at the same moment.
 */
export async function tryLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const own = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '', token: randomBytes(8).toString('hex') };
  const draft = `${path}.${own.token}`;
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
  let tookOver = false;
  try {
    for (;;) {
      try {
        linkSync(draft, path);
        if (tookOver) await sleep(50);
        if (read(path)?.token === own.token) {
          return {
            release() {
              if (read(path)?.token === own.token) rmSync(path, { force: true });
            },
          };
        }
        continue;
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      const holder = read(path);
      if (holder !== undefined && isAlive(holder)) return { holder };
      tookOver = true;
      const aside = `${draft}.stale`;
      try {
        renameSync(path, aside);
      } catch (error) {
        if (error.code === 'ENOENT') continue;
        throw error;
      }
      const moved = read(aside);
      if (moved !== undefined && isAlive(moved)) {
        // A living process had taken it in between: put it back, unless a third was quicker.
        try {
          linkSync(aside, path);
        } catch {}
      }
      rmSync(aside, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Waits for the lock. `onWait` is called once, with the holder, when there is something to wait for. */
export async function lock(path, { timeoutMs, onWait } = {}) {
  const end = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
  let told = false;
  for (;;) {
    const result = await tryLock(path);
    if (result.release) return result;
    if (!told) onWait?.(result.holder);
    told = true;
    if (Date.now() > end) throw new Error(`${path} is still held by process ${result.holder.pid}`);
    await sleep(300);
  }
}
