/** Brings a database to the newest schema; safe to run from many processes at once. */
import { sql } from 'kysely';
import { MIGRATIONS } from '../schema/migrations/index.ts';
import { openDatabase } from './database.ts';

/** Runs what is missing, each migration in a transaction of its own. Resolves with the names that were run. */
export async function migrate(databaseUrl: string): Promise<string[]> {
  const { db, close } = openDatabase(databaseUrl, { max: 1, applicationName: 'ostinato-migrate' });
  const done: string[] = [];
  try {
    for (const migration of MIGRATIONS) {
      await db.transaction().execute(async (trx) => {
        // One fixed number serialises all migrating processes of this database.
        await sql`SELECT pg_advisory_xact_lock(7206315)`.execute(trx);
        await sql`CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`.execute(
          trx,
        );
        const seen = await sql<{ name: string }>`SELECT name FROM migrations WHERE name = ${migration.name}`.execute(
          trx,
        );
        if (seen.rows.length > 0) return;
        await migration.up(trx.withTables<never>() as never);
        await sql`INSERT INTO migrations (name) VALUES (${migration.name})`.execute(trx);
        done.push(migration.name);
      });
    }
  } finally {
    await close();
  }
  return done;
}
