/** The database file of the embedded Temporal: one whose making was broken off is made anew. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';

/**
 * Call before each start of the server. It makes its tables one by one and does not start on half of them; until it
 * answered for the first time nothing can have been stored, so a file that is still marked goes.
 */
export function prepareDatabaseFile(file: string): void {
  if (existsSync(unfinished(file))) {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${suffix}`, { force: true });
  }
  if (!existsSync(file)) writeFileSync(unfinished(file), '', { mode: 0o600 });
}

/** Call when the server answered. */
export function markDatabaseFileMade(file: string): void {
  rmSync(unfinished(file), { force: true });
}

function unfinished(file: string): string {
  return `${file}.unfinished`;
}
