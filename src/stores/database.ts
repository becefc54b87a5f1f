/** Postgres: one pool and one kysely a process. Repositories take `db` or a transaction of it. */
import { createHash } from 'node:crypto';
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
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
  // Nor may the death of one that somebody holds without asking anything, as by the server's own limits: the next query fails.
  pool.on('connect', (client) => client.on('error', () => {}));
  pool.on('connect', prepareMarked);
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool, close: () => db.destroy() };
}

const MARK = '/* prepared */';

/**
 * Stands at the very beginning of a statement that runs for every task: it is planned once a connection, which for such
 * short ones is most of their cost. Not for searches, whose best plan depends on what is asked.
 */
export const prepared = sql.raw<never>(MARK);

/** Gives marked statements a name, which is what makes Postgres keep them. */
function prepareMarked(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown;
  const named = (text: unknown, ...rest: unknown[]) =>
    typeof text === 'string' && text.startsWith(MARK)
      ? query({ name: nameOf(text), text, values: rest[0] })
      : query(text, ...rest);
  client.query = named as typeof client.query;
}

const names = new Map<string, string>();

/** By the text: equal names with unequal texts would be refused. There are as many as such texts in the sources. */
function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    name = createHash('sha256').update(text).digest('base64url');
    names.set(text, name);
  }
  return name;
}
