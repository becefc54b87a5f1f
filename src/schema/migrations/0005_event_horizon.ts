/** Up to where the event log was pruned, so that a reader who comes back too late can be told. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    ALTER TABLE installation
      ADD COLUMN events_pruned_xid xid8 NOT NULL DEFAULT '0',
      ADD COLUMN events_pruned_seq bigint NOT NULL DEFAULT 0
  `.execute(db);
}
