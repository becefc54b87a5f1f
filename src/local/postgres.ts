/** The embedded Postgres: binaries from the platform's package, started by a launcher of our own. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { inheritedEnvironment } from '../schema/config.ts';
import { freePort } from './ports.ts';
import { preparePostgresBinaries } from './postgres-binaries.ts';
import type { Service, Supervisor } from './supervise.ts';

const MAJOR = '18';
const USER = 'ostinato';
const DATABASE = 'ostinato';
/** `nobody` on Linux. Postgres refuses to run as root. */
const NOBODY = 65_534;

export interface EmbeddedPostgres {
  databaseUrl: string;
  port: number;
  service: Service;
}

export interface PostgresOptions {
  /** Folder that holds (or will hold) the cluster and its password. */
  dataDir: string;
  cacheDir: string;
  /** 0: a free one. */
  port: number;
  supervisor: Supervisor;
  report: (line: string) => void;
  /** More server settings, such as `fsync=off` for tests. */
  settings?: Record<string, string>;
}

/**
 * Starts the embedded Postgres on loopback with password login only, making the cluster first when there is none.
 * As root it runs as `nobody`; its data folder may then lie below folders that only root may enter, because the server
 * is given the opened folder instead of its path.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const asRoot = process.getuid?.() === 0;
  const owner = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const native = await preparePostgresBinaries({ cacheDir: options.cacheDir, open: asRoot });
  const cluster = join(options.dataDir, 'postgres');
  const password = passwordOf(options.dataDir);
  await ensureCluster({ cluster, password, native, owner, report: options.report });

  const port = options.port === 0 ? await freePort() : options.port;
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    password_encryption: 'scram-sha-256',
    log_min_messages: 'warning',
    ...options.settings,
  };
  const databaseUrl = `postgres://${USER}:${password}@127.0.0.1:${port}/${DATABASE}`;
  const adminUrl = `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`;
  const folder = openFolder(cluster, asRoot);
  const service = await options.supervisor.start({
    name: 'postgres',
    command: join(native, 'bin', 'postgres'),
    args: ['-D', folder.path, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    cwd: '/',
    env: { LD_LIBRARY_PATH: join(native, 'lib'), TZ: 'UTC', LC_ALL: 'C' },
    ...owner,
    ...(folder.descriptor === undefined ? {} : { descriptor: folder.descriptor }),
    // Fast shutdown: sessions are cut, everything committed is written.
    stopSignal: 'SIGINT',
    deathSignal: 'SIGINT',
    stopTimeoutMs: 30_000,
    readyTimeoutMs: 120_000,
    isReady: () => answers(adminUrl),
    prepare: () => settle(cluster),
  });
  await ensureDatabase(adminUrl);
  return { databaseUrl, port, service };
}

/** Where the server finds the folder: by path, or as root on Linux through a descriptor that stays open. */
function openFolder(cluster: string, asRoot: boolean): { path: string; descriptor?: number } {
  if (!asRoot || process.platform !== 'linux') return { path: cluster };
  return { path: '/proc/self/fd/3', descriptor: openSync(cluster, constants.O_RDONLY | constants.O_DIRECTORY) };
}

function passwordOf(dataDir: string): string {
  const path = join(dataDir, 'postgres-password');
  if (!existsSync(path)) {
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
  native: string;
  owner: { uid?: number; gid?: number };
  report: (line: string) => void;
}

/** Makes the cluster under another name and renames it, so that an interrupted one never looks finished. */
async function ensureCluster({ cluster, password, native, owner, report }: ClusterOptions): Promise<void> {
  const versionFile = join(cluster, 'PG_VERSION');
  if (existsSync(versionFile)) {
    const found = readFileSync(versionFile, 'utf8').trim();
    if (found !== MAJOR) throw new Error(`${cluster} was made by Postgres ${found}; this is Postgres ${MAJOR}`);
    return;
  }
  report('making the database folder');
  const draft = `${cluster}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true, mode: 0o700 });
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
      command: join(native, 'bin', 'initdb'),
      args: [
        `--pgdata=${folder.path}`,
        `--username=${USER}`,
        '--auth=scram-sha-256',
        '--pwfile=/dev/stdin',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ],
      env: { LD_LIBRARY_PATH: join(native, 'lib'), LC_ALL: 'C' },
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

interface InitdbCall {
  command: string;
  args: string[];
  env: Record<string, string>;
  owner: { uid?: number; gid?: number };
  stdin: number;
  descriptor?: number;
}

function initdb({ command, args, env, owner, stdin, descriptor }: InitdbCall): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
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

/**
 * After kill -9 of the server its backends live for a moment and hold the shared memory, and postmaster.pid names a
 * process id that may belong to somebody else by now. Waits for the first and removes the second; a server that runs
 * is left alone and the start then says so itself.
 */
async function settle(cluster: string): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  const name = commandOf(pid);
  if (name !== undefined && !name.includes('postgres')) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    rmSync(pidFile, { force: true });
  }
}

function commandOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } finally {
    await client.end().catch(() => {});
  }
}

async function ensureDatabase(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}
