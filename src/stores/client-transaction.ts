/** A transaction whose connection is at hand, for COPY beside kysely queries. */
import { Kysely, PostgresDialect } from 'kysely';
import type pg from 'pg';
import type { Tables } from '../schema/tables.ts';
import type { Database, Trx } from './database.ts';

/** Runs `work` in one transaction on one connection, given both as kysely and as the bare client. */
export async function withTransaction<T>(
  database: Database,
  work: (trx: Trx, client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await database.pool.connect();
  // A kysely over just this connection; it must not release it in between.
  const single = { connect: async () => ({ query: client.query.bind(client), release() {} }), end: async () => {} };
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: single as unknown as pg.Pool }) });
  let broken: Error | undefined;
  try {
    return await db.transaction().execute((trx) => work(trx, client));
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    // After a failed COPY the connection's state is not worth trusting.
    client.release(broken);
  }
}
