/** Since when an agent is known to be offline: what its removal is counted from, and not its last sign of life. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    ALTER TABLE agents
      -- Null while it is not offline. Nobody noted when those that are went: they have the whole time from here.
      ADD COLUMN offline_since timestamptz;
  `.execute(db);
  await sql`UPDATE agents SET offline_since = now() WHERE status = 'offline' AND deleted_at IS NULL`.execute(db);
}
