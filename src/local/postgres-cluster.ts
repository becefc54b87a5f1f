/** Makes the folder of a Postgres cluster and opens it for a server that may not enter its path. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { inheritedEnvironment } from '../schema/config.ts';
import { tied } from './tied-process.ts';

export const POSTGRES_USER = 'ostinato';
/** `nobody` on Linux. Postgres refuses to run as root. */
const NOBODY = 65_534;
/** Between a cluster's name and the random end of its draft's. */
const DRAFT = '.new-';

/** A set of Postgres programs. */
export interface Installation {
  /** Folder with `postgres` and `initdb`. */
  bin: string;
  /** Folder of their libraries where the system does not know it. */
  lib?: string;
  /** What the cluster's PG_VERSION must hold. */
  major: string;
  /** More arguments of initdb. */
  initdb?: readonly string[];
}

export interface Owner {
  uid?: number;
  gid?: number;
}

/** Who runs the server: this user, or as root whoever owns the cluster, `nobody` for a new one. */
export function ownerOf(cluster: string): Owner {
  if (process.getuid?.() !== 0) return {};
  if (!existsSync(cluster)) return { uid: NOBODY, gid: NOBODY };
  const { uid, gid } = statSync(cluster);
  return uid === 0 ? { uid: NOBODY, gid: NOBODY } : { uid, gid };
}

/** Where the server finds the folder: by path, or as root on Linux through a descriptor that stays open. */
export function openFolder(cluster: string, asRoot: boolean): { path: string; descriptor?: number } {
  if (!asRoot || process.platform !== 'linux') return { path: cluster };
  return { path: '/proc/self/fd/3', descriptor: openSync(cluster, constants.O_RDONLY | constants.O_DIRECTORY) };
}

/** The password of a cluster, made with it and kept beside it for this user alone. */
export function passwordOf(dataDir: string, cluster: string): string {
  const path = join(dataDir, 'postgres-password');
  if (!existsSync(path)) {
    if (existsSync(cluster)) throw new Error(`${path} is gone, and with it the way into ${cluster}`);
    const draft = `${path}.new`;
    rmSync(draft, { force: true });
    writeFileSync(draft, randomBytes(24).toString('base64url'), { mode: 0o400 });
    renameSync(draft, path);
  }
  return readFileSync(path, 'utf8').trim();
}

interface ClusterOptions {
  cluster: string;
  password: string;
  installation: Installation;
  owner: Owner;
  report: (line: string) => void;
}

/** Makes the cluster under another name and renames it, so that an interrupted one never looks finished. */
export async function ensureCluster({ cluster, password, installation, owner, report }: ClusterOptions): Promise<void> {
  const versionFile = join(cluster, 'PG_VERSION');
  if (existsSync(versionFile)) {
    const found = readFileSync(versionFile, 'utf8').trim();
    if (found === installation.major) return;
    throw new Error(`${cluster} was made by Postgres ${found}; this is Postgres ${installation.major}`);
  }
  report('making the database folder');
  removeDrafts(cluster);
  mkdirSync(dirname(cluster), { recursive: true });
  // A name of its own: programs of a start that was broken off may write into theirs for a moment longer.
  const draft = mkdtempSync(`${cluster}${DRAFT}`);
  const passwordFile = `${cluster}-password.new`;
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o400 });
  const asRoot = owner.uid !== undefined;
  if (owner.uid !== undefined && owner.gid !== undefined) {
    chownSync(draft, owner.uid, owner.gid);
    chownSync(passwordFile, owner.uid, owner.gid);
  }
  chmodSync(draft, 0o700);
  const folder = openFolder(draft, asRoot);
  const passwordDescriptor = openSync(passwordFile, 'r');
  try {
    await initdb({
      command: join(installation.bin, 'initdb'),
      args: [
        `--pgdata=${folder.path}`,
        `--username=${POSTGRES_USER}`,
        '--auth=scram-sha-256',
        '--pwfile=/dev/stdin',
        '--encoding=UTF8',
        '--locale=C',
        ...(installation.initdb ?? []),
      ],
      env: libraryPath(installation),
      owner,
      stdin: passwordDescriptor,
      ...(folder.descriptor === undefined ? {} : { descriptor: folder.descriptor }),
    });
  } finally {
    closeSync(passwordDescriptor);
    rmSync(passwordFile, { force: true });
    if (folder.descriptor !== undefined) closeSync(folder.descriptor);
  }
  renameSync(draft, cluster);
}

/** Removes what starts that were broken off left; one that is still written to waits for the next start. */
function removeDrafts(cluster: string): void {
  const parent = dirname(cluster);
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(`${basename(cluster)}${DRAFT}`)) continue;
    try {
      rmSync(join(parent, name), { recursive: true, force: true });
    } catch {
      // In use.
    }
  }
}

/** Environment in which the programs find their libraries and speak plain English. */
export function libraryPath(installation: Installation): Record<string, string> {
  return { LC_ALL: 'C', ...(installation.lib === undefined ? {} : { LD_LIBRARY_PATH: installation.lib }) };
}

interface InitdbCall {
  command: string;
  args: string[];
  env: Record<string, string>;
  owner: Owner;
  stdin: number;
  descriptor?: number;
}

function initdb({ command, args, env, owner, stdin, descriptor }: InitdbCall): Promise<void> {
  return new Promise((resolve, reject) => {
    // Dies with this process where the kernel can do that; the other way needs the stdin that holds the password.
    const withUs = tied(command, args, 'SIGKILL');
    const call = withUs.needsPipe ? { command, args } : withUs;
    const child = spawn(call.command, call.args, {
      cwd: '/',
      env: { ...inheritedEnvironment(), ...env },
      stdio: [stdin, 'ignore', 'pipe', descriptor],
      timeout: 120_000,
      ...owner,
    });
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-4_000);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`initdb ended with ${signal ?? `exit code ${code}`}: ${errors.trim()}`));
    });
  });
}
