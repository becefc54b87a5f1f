/** One job's database: opened with its limits, its user SQL judged, then closed off for good before any of it runs. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Copied, EngineError, EngineJob, Row, UserSql } from './messages.ts';
import { type Catalogue, judge } from './sql-guard.ts';

/** What the engine refuses or fails with, told apart for the worker. */
export class EngineFault extends Error {
  readonly error: EngineError;
  constructor(error: EngineError) {
    super(error.message);
    this.error = error;
  }
}

export interface JobDatabase {
  /** Whether the user SQL works row by row. */
  rowWise: boolean;
  run(sql: string): Promise<void>;
  query(sql: string): Promise<Row[]>;
  copy(sql: string, file: string): Promise<Copied>;
  /** 0 to 1, of the statement that runs. */
  share(): number;
  close(): void;
}

/** Throws EngineFault('denied') with the path of the first SQL that may not run. */
export async function openJob(job: EngineJob): Promise<JobDatabase> {
  for (const part of ['out', 'spill']) mkdirSync(join(job.folder, part), { recursive: true });
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(job.threads),
    memory_limit: `${job.memoryMb}MiB`,
    temp_directory: join(job.folder, 'spill'),
  });
  const connection = await instance.connect();
  const statement = (sql: string) => wrap(job, () => connection.run(sql));
  const text = (path: string) => `'${path.replaceAll("'", "''")}'`;
  for (const setting of [
    // Given when the database is made it is shown, but does not bind.
    `max_temp_directory_size='${job.tempMb}MiB'`,
    'allow_persistent_secrets=false',
    'autoinstall_known_extensions=false',
    'autoload_known_extensions=false',
    'allow_community_extensions=false',
    "TimeZone='UTC'",
    'preserve_insertion_order=true',
    'enable_progress_bar=true',
    'enable_progress_bar_print=false',
    `allowed_directories=[${text(`${join(job.folder, 'out')}/`)}]`,
    `allowed_paths=[${job.files.map(({ path }) => text(path)).join(', ')}]`,
    'enable_external_access=false',
  ]) {
    await statement(`SET ${setting}`);
  }
  const rowWise = job.userSql.length === 0 || !(await judgeAll(connection, job));
  if (!rowWise) await statement('SET threads=1');
  await statement('SET lock_configuration=true');
  return {
    rowWise,
    run: async (sql) => void (await statement(sql)),
    query: (sql) => wrap(job, async () => (await connection.runAndReadAll(sql)).getRowObjectsJson() as Row[]),
    copy: async (sql, file) => {
      const result = await wrap(job, () => connection.runAndReadAll(sql));
      const rows = Number(result.getRowsJson()[0]?.[0] ?? 0);
      return { rows, ...(await hashFile(file)) };
    },
    share: () => Math.max(0, connection.progress.percentage) / 100,
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Whether one of them needs a single thread. */
async function judgeAll(connection: DuckDBConnection, job: EngineJob): Promise<boolean> {
  const functions = await catalogue(connection);
  let needsOneThread = false;
  for (const user of job.userSql) {
    const verdict = judge(await parse(connection, user), user.kind, viewNames(job, user), functions);
    if (verdict.fault !== null) throw new EngineFault({ kind: 'denied', path: user.path, message: verdict.fault });
    needsOneThread ||= verdict.needsOneThread;
  }
  return needsOneThread;
}

const viewNames = (job: EngineJob, user: UserSql) =>
  new Set([...job.views, ...(user.views ?? [])].map((name) => name.toLowerCase()));

async function parse(connection: DuckDBConnection, user: UserSql): Promise<unknown> {
  const sql = user.kind === 'select' ? user.sql : `SELECT (\n${user.sql}\n)`;
  // Counted by the parser that will run it; this parses and nothing more.
  const statements = await connection.extractStatements(sql).catch((error: unknown) => {
    const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : '';
    throw new EngineFault({ kind: 'denied', path: user.path, message: `cannot be parsed: ${message}` });
  });
  if (statements.count !== 1) {
    throw new EngineFault({ kind: 'denied', path: user.path, message: 'must be one SELECT' });
  }
  const result = await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql]);
  return JSON.parse(String(result.getRowsJson()[0]?.[0] ?? 'null'));
}

let known: Catalogue | null = null;

/** The same for every job of this process. */
async function catalogue(connection: DuckDBConnection): Promise<Catalogue> {
  if (known) return known;
  const result = await connection.runAndReadAll(
    "SELECT DISTINCT lower(function_name), function_type FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate', 'macro') AND (stability IS NULL OR stability <> 'VOLATILE' OR function_name = 'error')",
  );
  const rows = result.getRowsJson();
  known = {
    steady: new Set(rows.map(([name]) => String(name))),
    aggregates: new Set(rows.filter(([, type]) => type === 'aggregate').map(([name]) => String(name))),
  };
  return known;
}

async function wrap<T>(job: EngineJob, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw new EngineFault(explain(job, error));
  }
}

/** The engine's words without the paths of this machine. */
function explain(job: EngineJob, error: unknown): EngineError {
  const raw = error instanceof Error ? error.message : String(error);
  const message = job.files
    .reduce((text, file) => text.replaceAll(file.path, file.label), raw)
    .replaceAll(`${job.folder}/`, '');
  const words = message.trim().slice(0, 2_000);
  if (/^(Out of Memory|Fatal)|max_temp_directory_size|failed to (allocate|offload)|bad_alloc/i.test(raw)) {
    return { kind: 'limit', path: '', message: words.split('\n')[0] ?? '' };
  }
  return { kind: raw.startsWith('Permission Error') ? 'denied' : 'failed', path: '', message: words };
}

/** Hashed while it goes to the disk: the store, which takes it over, then finds it there. */
async function hashFile(file: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await open(file, 'r+');
  try {
    const written = handle.sync();
    written.catch(() => undefined);
    for await (const chunk of handle.createReadStream({ highWaterMark: 1024 * 1024, autoClose: false, start: 0 })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
    await written;
  } finally {
    await handle.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}
