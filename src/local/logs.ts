/** Log files of the supervised processes, kept small by rotation. */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const MAX_BYTES = 10 * 1024 * 1024;
const KEPT = 3;

export interface LogFile {
  /** Takes output as it comes and writes whole lines. */
  write(chunk: Buffer | string): void;
  /** The last lines written, oldest first. */
  tail(): string[];
  close(): void;
}

/**
 * Appends to `path`; past `maxBytes` it becomes `path.1`, up to `path.3`. Lines that are not JSON already are
 * prefixed with the time. Writing is synchronous: what a process said last is there when it dies.
 */
export function openLog(path: string, options: { maxBytes?: number; onLine?: (line: string) => void } = {}): LogFile {
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  mkdirSync(dirname(path), { recursive: true });
  let descriptor = openSync(path, 'a', 0o600);
  let size = fstatSync(descriptor).size;
  let rest = '';
  let open = true;
  const last: string[] = [];

  const rotate = () => {
    closeSync(descriptor);
    for (let index = KEPT - 1; index >= 0; index--) {
      try {
        renameSync(index === 0 ? path : `${path}.${index}`, `${path}.${index + 1}`);
      } catch {
        // Not there yet.
      }
    }
    descriptor = openSync(path, 'a', 0o600);
    size = 0;
  };
  const writeLine = (line: string) => {
    if (line === '') return;
    last.push(line);
    if (last.length > 20) last.shift();
    options.onLine?.(line);
    const bytes = Buffer.from(line.startsWith('{') ? `${line}\n` : `${new Date().toISOString()} ${line}\n`);
    if (size > 0 && size + bytes.length > maxBytes) rotate();
    writeSync(descriptor, bytes);
    size += bytes.length;
  };

  return {
    write(chunk) {
      if (!open) return;
      const lines = (rest + chunk.toString()).split(/\r?\n/);
      rest = lines.pop() ?? '';
      // A line without an end must not grow in memory.
      if (rest.length > 1024 * 1024) {
        lines.push(rest);
        rest = '';
      }
      for (const line of lines) writeLine(line);
    },
    tail: () => [...last],
    close() {
      if (!open) return;
      writeLine(rest);
      open = false;
      closeSync(descriptor);
    },
  };
}
