/** Each try of a stage or an item, kept when the next one begins and when the run is tried again. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    CREATE TABLE pipeline_tries (
      run_id text NOT NULL REFERENCES pipeline_runs ON DELETE CASCADE,
      stage int NOT NULL,
      -- -1: the stage itself.
      item int NOT NULL,
      -- Of the run: grows with each retry by hand. Tries begin anew with it.
      run_attempt int NOT NULL,
      try int NOT NULL,
      status text NOT NULL DEFAULT 'running',
      error jsonb,
      -- How often its caller's rate limit put it off.
      put_off int NOT NULL DEFAULT 0,
      started_at timestamptz NOT NULL DEFAULT now(),
      ended_at timestamptz,
      PRIMARY KEY (run_id, stage, item, run_attempt, try)
    );
  `.execute(db);
}
