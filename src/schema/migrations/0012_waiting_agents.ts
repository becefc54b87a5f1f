/** Agents that wait for tasks in a claim: known to admissions, so that they compete with those that are called. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    ALTER TABLE agents
      -- Until when its claim counts as waiting; it is renewed while it does.
      ADD COLUMN waiting_until timestamptz,
      -- As many tasks as the claim takes.
      ADD COLUMN waiting_for int NOT NULL DEFAULT 0
  `.execute(db);
}
