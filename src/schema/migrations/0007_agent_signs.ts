/** Signs of life of agents besides heartbeats, and what of their load was told last. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    ALTER TABLE agents
      -- Whether it has sent a heartbeat since it was registered: of one that never does, health answers count instead.
      ADD COLUMN beats boolean NOT NULL DEFAULT false,
      -- When endpoints.health last answered well.
      ADD COLUMN answered_at timestamptz,
      -- Load and time of its last event, so that small steps add up to one and quick ones are told together.
      ADD COLUMN told_load double precision NOT NULL DEFAULT 0,
      ADD COLUMN told_at timestamptz NOT NULL DEFAULT now()
  `.execute(db);
}
