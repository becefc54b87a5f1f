/** Who holds how many live connections through which process: what limits that hold over all processes are counted by. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    -- Unlogged: a crash of the server forgets them, and each process writes its own anew with its next renewal.
    CREATE UNLOGGED TABLE live_processes (
      process_id uuid PRIMARY KEY,
      -- A process that has not renewed by then is dead, and holds nothing.
      until timestamptz NOT NULL,
      held integer NOT NULL
    );

    CREATE UNLOGGED TABLE live_holdings (
      process_id uuid REFERENCES live_processes ON DELETE CASCADE,
      caller text NOT NULL,
      held integer NOT NULL,
      PRIMARY KEY (caller, process_id)
    );
    CREATE INDEX live_holdings_process ON live_holdings (process_id);
  `.execute(db);
}
