/** A table in Postgres, filled in one transaction: replaced, appended to once a run, or merged by key. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { Failure } from '../../../schema/failures.ts';
import type { JsonObject } from '../../../schema/json.ts';
import type { TableOutput } from '../../../schema/stages/output.ts';
import {
  findOutputTable,
  lockOutputTable,
  markOutputTable,
  OUTPUT_SCHEMA as SCHEMA,
} from '../../../stores/output-tables.ts';
import type { Session } from '../engine/pool.ts';
import { type Column, type Job, mainInput, POSITION } from '../job.ts';
import { name } from '../quote.ts';

/** Tells which run appended a row, so that a repeat replaces its own rows and no others. */
const RUN_COLUMN = '_run';
const CSV = `FORMAT csv, HEADER false, NULLSTR '\\N'`;

export async function writeTable(job: Job<unknown>, session: Session, table: TableOutput): Promise<JsonObject> {
  const columns = mainInput(job).columns;
  check(table, columns);
  const select = columns.map((column) => exported(column)).join(', ');
  const { path } = await session.copy(`SELECT ${select} FROM __input ORDER BY ${POSITION}`, 'table.csv', CSV, {
    at: 'table',
  });
  const client = await job.deps.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    await lockOutputTable(client, table.name);
    const rows = await fill(client, job, table, columns, path);
    await client.query('COMMIT');
    return { name: `${SCHEMA}.${table.name}`, mode: table.mode, rows };
  } catch (error) {
    broken = error as Error;
    await client.query('ROLLBACK').catch(() => undefined);
    throw explain(error, table);
  } finally {
    client.release(broken);
  }
}

function check(table: TableOutput, columns: readonly Column[]): void {
  const missing = (table.key ?? []).filter((key) => !columns.some((column) => column.name === key));
  if (missing.length > 0) throw new Failure('invalid_input', `table.key: there is no column ${missing.join(', ')}`);
  const long = columns.filter((column) => Buffer.byteLength(column.name) > 63 || column.name === RUN_COLUMN);
  if (long.length > 0)
    throw new Failure('invalid_input', `table: Postgres cannot have a column called ${long[0]?.name}`);
}

async function fill(
  client: pg.PoolClient,
  job: Job<unknown>,
  table: TableOutput,
  columns: readonly Column[],
  path: string,
): Promise<number> {
  const target = `${SCHEMA}.${name(table.name)}`;
  const list = columns.map((column) => name(column.name)).join(', ');
  const definition = columns.map((column) => `${name(column.name)} ${postgresType(column.type)}`).join(', ');
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`);
  const owner = await ownerOf(client, job, table.name);
  const run = table.mode === 'append' ? `, ${RUN_COLUMN} text` : '';
  if (table.mode === 'replace') await client.query(`DROP TABLE IF EXISTS ${target}`);
  await client.query(`CREATE TABLE IF NOT EXISTS ${target} (${definition}${run})`);
  if (owner !== null) await markOutputTable(client, table.name, owner);
  if (table.mode === 'replace') return copyIn(client, `${target} (${list})`, path);
  await client.query(`CREATE TEMPORARY TABLE pipeline_rows (${definition}) ON COMMIT DROP`);
  await copyIn(client, `pipeline_rows (${list})`, path);
  if (table.mode === 'append') {
    await client.query(`ALTER TABLE ${target} ADD COLUMN IF NOT EXISTS ${RUN_COLUMN} text`);
    await client.query(`DELETE FROM ${target} WHERE ${RUN_COLUMN} = $1`, [job.request.prefix]);
    const added = await client.query(
      `INSERT INTO ${target} (${list}, ${RUN_COLUMN}) SELECT ${list}, $1 FROM pipeline_rows`,
      [job.request.prefix],
    );
    return added.rowCount ?? 0;
  }
  return upsert(client, target, table, columns, list);
}

async function upsert(
  client: pg.PoolClient,
  target: string,
  table: TableOutput,
  columns: readonly Column[],
  list: string,
): Promise<number> {
  const keys = (table.key ?? []).map(name).join(', ');
  await dropOtherKeys(client, target, indexOf(table));
  await client.query(`CREATE UNIQUE INDEX IF NOT EXISTS ${name(indexOf(table))} ON ${target} (${keys})`);
  const others = columns.filter((column) => !table.key?.includes(column.name));
  const set = others.map((column) => `${name(column.name)} = excluded.${name(column.name)}`).join(', ');
  const merged = await client.query(
    `INSERT INTO ${target} (${list}) SELECT ${list} FROM pipeline_rows ON CONFLICT (${keys}) DO ${set ? `UPDATE SET ${set}` : 'NOTHING'}`,
  );
  return merged.rowCount ?? 0;
}

/** How the names of our own unique indexes begin. */
const KEY_INDEX = 'KEY-';

/** Another for another key, and none that a table could have: both share one list of names. */
function indexOf({ name: of, key }: TableOutput): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([of, key]))
    .digest('hex');
  return `${KEY_INDEX}${hash.slice(0, 40)}`;
}

/** A table has one key: what an earlier one forbade is no fault any more. Indexes that somebody else made stay. */
async function dropOtherKeys(client: pg.PoolClient, target: string, wanted: string): Promise<void> {
  const found = await client.query<{ relname: string }>(
    `SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::regclass AND starts_with(c.relname, $2) AND c.relname <> $3`,
    [target, KEY_INDEX, wanted],
  );
  for (const { relname } of found.rows) await client.query(`DROP INDEX ${SCHEMA}.${name(relname)}`);
}

async function copyIn(client: pg.PoolClient, target: string, path: string): Promise<number> {
  const copy = client.query(copyFrom(`COPY ${target} FROM STDIN (FORMAT csv, NULL '\\N')`));
  await pipeline(createReadStream(path), copy);
  return copy.rowCount ?? 0;
}

/**
 * A table is its maker's: somebody else's pipeline neither replaces it nor adds to it, and one that may, since its caller
 * may do all, does not take it over. Null for a table that no pipeline made.
 */
async function ownerOf(client: pg.PoolClient, job: Job<unknown>, table: string): Promise<string | null> {
  const found = await findOutputTable(client, table);
  if (found && found.owner !== job.request.owner && !job.request.all_owners) {
    throw new Failure('forbidden', `The table ${SCHEMA}.${table} is somebody else's`);
  }
  return found ? found.owner : job.request.owner;
}

/** As Postgres has it; what it has no type for is JSON. */
export function postgresType(type: string): string {
  const plain: Record<string, string> = {
    BOOLEAN: 'boolean',
    TINYINT: 'smallint',
    SMALLINT: 'smallint',
    INTEGER: 'integer',
    BIGINT: 'bigint',
    UTINYINT: 'smallint',
    USMALLINT: 'integer',
    UINTEGER: 'bigint',
    UBIGINT: 'numeric(20)',
    FLOAT: 'real',
    DOUBLE: 'double precision',
    VARCHAR: 'text',
    DATE: 'date',
    TIME: 'time',
    UUID: 'uuid',
    BLOB: 'bytea',
    INTERVAL: 'interval',
    'TIMESTAMP WITH TIME ZONE': 'timestamptz',
  };
  if (type.startsWith('DECIMAL') && !type.endsWith(']')) return type.replace('DECIMAL', 'numeric');
  if (/^TIMESTAMP(_S|_MS|_NS)?$/.test(type)) return 'timestamp';
  if (type.startsWith('ENUM')) return 'text';
  return plain[type] ?? 'jsonb';
}

function exported({ name: column, type }: Column): string {
  const kind = postgresType(type);
  if (kind === 'jsonb') return `to_json(${name(column)})::VARCHAR AS ${name(column)}`;
  if (kind === 'bytea') return `'\\x' || hex(${name(column)}) AS ${name(column)}`;
  // Postgres holds no NUL character.
  if (kind === 'text') return `replace(${name(column)}::VARCHAR, chr(0), '') AS ${name(column)}`;
  return name(column);
}

function explain(error: unknown, table: TableOutput): unknown {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (error instanceof Failure || typeof code !== 'string' || !/^(21|22|23|42)/.test(code)) return error;
  return new Failure('execution_error', `table ${SCHEMA}.${table.name}: ${String(message)}`, { cause: error });
}
