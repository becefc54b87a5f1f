/** The embedded Postgres: binaries from the platform's package, started by a launcher of our own. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './ports.ts';
import { preparePostgresBinaries } from './postgres-binaries.ts';
import {
  ensureCluster,
  type Installation,
  libraryPath,
  openFolder,
  ownerOf,
  POSTGRES_USER,
  passwordOf,
} from './postgres-cluster.ts';
import type { Service, Supervisor } from './supervise.ts';

const DATABASE = 'ostinato';

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
  /** Other programs than the embedded ones. */
  installation?: Installation;
}

/**
 * Starts the embedded Postgres on loopback with password login only, making the cluster first when there is none.
 * As root it runs as `nobody`; its data folder may then lie below folders that only root may enter, because the server
 * is given the opened folder instead of its path.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const asRoot = process.getuid?.() === 0;
  const installation = options.installation ?? (await embedded(options.cacheDir, asRoot));
  const cluster = join(options.dataDir, 'postgres');
  const password = passwordOf(options.dataDir, cluster);
  const owner = ownerOf(cluster);
  await ensureCluster({ cluster, password, installation, owner, report: options.report });

  const port = options.port === 0 ? await freePort() : options.port;
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    password_encryption: 'scram-sha-256',
    log_min_messages: 'warning',
    ...options.settings,
  };
  const databaseUrl = `postgres://${POSTGRES_USER}:${password}@127.0.0.1:${port}/${DATABASE}`;
  const adminUrl = `postgres://${POSTGRES_USER}:${password}@127.0.0.1:${port}/postgres`;
  const folder = openFolder(cluster, asRoot);
  const service = await options.supervisor.start({
    name: 'postgres',
    command: join(installation.bin, 'postgres'),
    args: ['-D', folder.path, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    cwd: '/',
    env: { ...libraryPath(installation), TZ: 'UTC' },
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

async function embedded(cacheDir: string, asRoot: boolean): Promise<Installation> {
  const native = await preparePostgresBinaries({ cacheDir, open: asRoot });
  return {
    bin: join(native, 'bin'),
    lib: join(native, 'lib'),
    major: '18',
    initdb: ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
  };
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
