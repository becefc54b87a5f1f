/** What callers have used of their limits: requests of this minute, and quotas by day. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    -- The shape is that of rate-limiter-flexible. Unlogged: a crash forgets what was used of one minute, and taking
    -- from it costs no flush.
    CREATE UNLOGGED TABLE rate_limits (
      key varchar(255) PRIMARY KEY,
      points integer NOT NULL DEFAULT 0,
      expire bigint
    );

    CREATE TABLE quotas (
      principal_id text NOT NULL,
      kind text NOT NULL,
      day date NOT NULL,
      used bigint NOT NULL,
      PRIMARY KEY (principal_id, kind, day)
    );
    CREATE INDEX quotas_day ON quotas (day);
  `.execute(db);
}
