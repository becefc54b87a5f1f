/** Secrets of this installation that are made on its first start and kept in the data folder. */
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../schema/config.ts';

const NAMES = ['JWT_SECRET', 'MASTER_KEY', 'PAYLOAD_KEY'] as const;

/** The configured secrets, else those of the data folder, else new ones, each 32 bytes as 64 hex digits. */
export function ensureKeys(config: Config, report: (line: string) => void): Config {
  const folder = join(config.dataDir, 'keys');
  const found: Partial<Record<(typeof NAMES)[number], string>> = {};
  const made: string[] = [];
  for (const name of NAMES) {
    if (config[name] !== undefined) continue;
    const path = join(folder, name);
    if (!existsSync(path)) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      if (makeSecret(path, randomBytes(32).toString('hex'))) made.push(name);
    }
    found[name] = readFileSync(path, 'utf8').trim();
  }
  if (made.length > 0) {
    report(`warning: made ${made.join(', ')} in ${folder}; without them what they seal is lost: keep a copy`);
  }
  return Object.freeze({ ...config, ...found });
}

/** Writes a secret that is not there yet, whole or not at all; false when another process was first. */
function makeSecret(path: string, secret: string): boolean {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${secret}\n`, { mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Writes a file for the owner's eyes alone, whole or not at all. */
export function writeSecret(path: string, secret: string): void {
  rmSync(`${path}.new`, { force: true });
  writeFileSync(`${path}.new`, `${secret}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
