/** Lanes of the admission queue come one of each owner after the other, so that many of one leave room for all others. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    -- As before, but for the order in which lanes are found: the first of every owner and priority, then the second of
    -- each, until there are a thousand.
    CREATE OR REPLACE FUNCTION task_queue_heads(cap int, most int)
      RETURNS TABLE (free int, task_id text, workflow_id text, attempt int, owner text, priority smallint, type text,
        executor text, capabilities text[], excluded_agents text[], lane text, queued_at timestamptz, owner_slots int)
      LANGUAGE plpgsql AS $$
      DECLARE
        room int;
      BEGIN
        PERFORM pg_advisory_xact_lock(5711862);
        room := cap - (SELECT count(*) FROM tasks t WHERE t.slot);
        IF room <= 0 THEN
          RETURN;
        END IF;
        RETURN QUERY
          WITH RECURSIVE owners AS (
            (SELECT t.priority, t.owner FROM tasks t WHERE t.phase = 'queued' ORDER BY t.priority, t.owner LIMIT 1)
            UNION ALL
            (SELECT next.* FROM owners o, LATERAL (
               SELECT t.priority, t.owner FROM tasks t
               WHERE t.phase = 'queued' AND (t.priority, t.owner) > (o.priority, o.owner)
               ORDER BY t.priority, t.owner LIMIT 1) next)
          ),
          lanes AS (
            (SELECT o.priority, o.owner, first.lane FROM owners o CROSS JOIN LATERAL (
               SELECT t.lane FROM tasks t
               WHERE t.phase = 'queued' AND t.priority = o.priority AND t.owner = o.owner
               ORDER BY t.lane LIMIT 1) first)
            UNION ALL
            (SELECT l.priority, l.owner, next.lane FROM lanes l, LATERAL (
               SELECT t.lane FROM tasks t
               WHERE t.phase = 'queued' AND t.priority = l.priority AND t.owner = l.owner AND t.lane > l.lane
               ORDER BY t.lane LIMIT 1) next)
          ),
          slots AS (SELECT t.owner, count(*)::int AS taken FROM tasks t WHERE t.slot GROUP BY t.owner)
          SELECT room, h.task_id, h.workflow_id, h.attempt, h.owner, h.priority, h.type, h.executor, h.capabilities,
            h.excluded_agents, h.lane, h.queued_at, coalesce(s.taken, 0)
          FROM (SELECT * FROM lanes LIMIT 1000) l
          CROSS JOIN LATERAL (
            SELECT t.* FROM tasks t
            WHERE t.phase = 'queued' AND t.priority = l.priority AND t.owner = l.owner AND t.lane = l.lane
            ORDER BY t.queued_at, t.task_id LIMIT least(room, most)) h
          LEFT JOIN slots s ON s.owner = h.owner;
      END
      $$;
  `.execute(db);
}
