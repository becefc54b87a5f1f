/** Lists of approvals and notifications read by index: those of an owner, and those of runs that were granted. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    CREATE INDEX approvals_owner ON approvals (owner, requested_at DESC, approval_id DESC);
    CREATE INDEX notifications_run ON notifications (run_id) WHERE run_id IS NOT NULL;
  `.execute(db);
}
