/** Postgres: one pool and one kysely a process. Repositories take `db` or a transaction of it. */
import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import type { Tables } from '../schema/tables.ts';

export type Db = Kysely<Tables>;
export type Trx = Transaction<Tables>;

export interface Database {
  db: Db;
  /** For COPY and LISTEN, which need a connection of their own. */
  pool: pg.Pool;
  close(): Promise<void>;
}

/**
 * Opens a pool of at most `max` connections. A connection that dies while idle is replaced silently; a query
 * on a dead server rejects within 10 s.
 */
export function openDatabase(url: string, options: { max?: number; applicationName?: string } = {}): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max ?? 10,
    application_name: options.applicationName ?? 'ostinato',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  // Without a listener an idle connection's death would end the process.
  pool.on('error', () => {});
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool, close: () => db.destroy() };
}
