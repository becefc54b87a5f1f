/** Whose tasks an agent does, tasks for one agent alone, and tasks that only an agent can do and that have none. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    -- Whether it does everybody's tasks; otherwise those of its owner alone. Agents from before served everybody, and go on.
    ALTER TABLE agents ADD COLUMN shared boolean NOT NULL DEFAULT false;
    UPDATE agents SET shared = true WHERE deleted_at IS NULL;

    -- Whether everybody who may read events sees it; otherwise its owner alone.
    ALTER TABLE event_log ADD COLUMN shared boolean NOT NULL DEFAULT false;

    ALTER TABLE tasks
      -- The one agent that its submitter named.
      ADD COLUMN wanted_agent text,
      -- The built-in executor cannot do it: it waits for agents that are registered and away.
      ADD COLUMN needs_agent boolean NOT NULL DEFAULT false,
      -- Since when no agent at work could do such a task while it waits.
      ADD COLUMN stranded_at timestamptz,
      -- And its index with it.
      DROP COLUMN lane;
    DROP FUNCTION task_lane(text, text, text[], text[]);
    -- Now an owner's: agents do not do the tasks of all.
    CREATE FUNCTION task_lane(owner text, type text, executor text, capabilities text[], excluded text[], wanted text,
        needs_agent boolean) RETURNS text
      LANGUAGE sql IMMUTABLE AS $$
        SELECT md5(type || '/' || executor || '/' || array_to_string(capabilities, ',') || '/' || array_to_string(excluded, ',')
          || '/' || coalesce(wanted, '') || '/' || needs_agent::text || '/' || owner)
      $$;
    ALTER TABLE tasks ADD COLUMN lane text
      GENERATED ALWAYS AS (task_lane(owner, type, executor, capabilities, excluded_agents, wanted_agent, needs_agent)) STORED;
    CREATE INDEX tasks_lanes ON tasks (priority, owner, lane, queued_at, task_id) WHERE phase = 'queued';
    CREATE INDEX tasks_stranded ON tasks (lane) WHERE phase = 'queued' AND (needs_agent OR wanted_agent IS NOT NULL);

    DROP FUNCTION task_queue_heads(int, int);
    -- As before, with the columns that are new.
    CREATE FUNCTION task_queue_heads(cap int, most int)
      RETURNS TABLE (free int, task_id text, workflow_id text, attempt int, owner text, priority smallint, type text,
        executor text, capabilities text[], excluded_agents text[], wanted_agent text, needs_agent boolean, lane text,
        queued_at timestamptz, owner_slots int)
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
            h.excluded_agents, h.wanted_agent, h.needs_agent, h.lane, h.queued_at, coalesce(s.taken, 0)
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
