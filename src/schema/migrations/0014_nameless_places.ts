/** How many of a process' live connections are nobody's yet: they may take a part of the room alone. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`ALTER TABLE live_processes ADD COLUMN nameless integer NOT NULL DEFAULT 0`.execute(db);
}
