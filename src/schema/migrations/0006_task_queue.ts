/** The admission queue of tasks: lanes of equal needs, and the one lock under which slots are given out. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    -- Tasks of one lane can be done by the same agents. Immutable in truth: arrays of text have one way to be written.
    CREATE FUNCTION task_lane(type text, executor text, capabilities text[], excluded text[]) RETURNS text
      LANGUAGE sql IMMUTABLE AS $$
        SELECT md5(type || '/' || executor || '/' || array_to_string(capabilities, ',') || '/' || array_to_string(excluded, ','))
      $$;

    ALTER TABLE tasks
      ADD COLUMN lane text GENERATED ALWAYS AS (task_lane(type, executor, capabilities, excluded_agents)) STORED,
      -- Retries used since it was last submitted or retried by hand.
      ADD COLUMN retries int NOT NULL DEFAULT 0;
    ALTER TABLE task_attempts
      -- The call that claimed it: repeated, it is answered with the same tasks.
      ADD COLUMN claim_id text;

    CREATE INDEX tasks_lanes ON tasks (priority, owner, lane, queued_at, task_id) WHERE phase = 'queued';
    CREATE INDEX task_attempts_claim ON task_attempts (agent_id, claim_id) WHERE claim_id IS NOT NULL;

    -- Takes the lock of admissions until the end of the transaction, then looks, with a snapshot of its own: the free
    -- slots under this cap, and the oldest tasks of every lane, at most as many as there are free slots. No row: no
    -- free slot, or nothing waits.
    CREATE FUNCTION task_queue_heads(cap int, most int)
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
          WITH RECURSIVE lanes AS (
            (SELECT t.priority, t.owner, t.lane FROM tasks t WHERE t.phase = 'queued'
             ORDER BY t.priority, t.owner, t.lane LIMIT 1)
            UNION ALL
            (SELECT next.* FROM lanes l, LATERAL (
               SELECT t.priority, t.owner, t.lane FROM tasks t
               WHERE t.phase = 'queued' AND (t.priority, t.owner, t.lane) > (l.priority, l.owner, l.lane)
               ORDER BY t.priority, t.owner, t.lane LIMIT 1) next)
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
