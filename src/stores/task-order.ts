/** Whose turn it is in the queue: one rule, for those who give out slots and for the place that a waiting task shows. */
import { type RawBuilder, sql } from 'kysely';
import { PRIORITIES } from '../schema/names.ts';
import { type Db, prepared, type Trx } from './database.ts';

/** Who has waited so long counts as one priority higher, and again after as long: no stream of others keeps it waiting. */
export const AGEING_SECONDS = 300;

/** What the rule asks of a task that waits. */
export interface Waiting {
  task_id: string;
  owner: string;
  lane: string;
  /** Its priority as it counts now: see `rankOf`. */
  rank: number;
  queued_at: Date;
  /** Slots that the owner has at this moment. */
  owner_slots: number;
}

/** The priority of a queued task with what its waiting is worth: 0 is highest, and nothing is above it. */
export function rankOf(task: string): RawBuilder<number> {
  const column = (name: string) => sql.ref(`${task}.${name}`);
  const steps = PRIORITIES.slice(1).map(
    (_, n) => sql`(${column('queued_at')} <= now() - make_interval(secs => ${sql.lit(AGEING_SECONDS * (n + 1))}))::int`,
  );
  return sql<number>`greatest(0, ${column('priority')} - ${sql.join(steps, sql` - `)})`;
}

/**
 * Takes the next one off `heads`: by rank, then the owner with the fewest slots, then who has waited longest. Lanes in
 * `blocked` are passed over.
 */
export function takeNext<W extends Waiting>(
  heads: W[],
  taken: ReadonlyMap<string, number>,
  blocked: ReadonlySet<string>,
): W | null {
  let best: W | null = null;
  const slotsOf = (head: W) => head.owner_slots + (taken.get(head.owner) ?? 0);
  for (const head of heads) {
    if (blocked.has(head.lane)) continue;
    const difference =
      best === null
        ? -1
        : head.rank - best.rank ||
          slotsOf(head) - slotsOf(best) ||
          head.queued_at.getTime() - best.queued_at.getTime() ||
          (head.task_id < best.task_id ? -1 : 1);
    if (difference < 0) best = head;
  }
  if (best) heads.splice(heads.indexOf(best), 1);
  return best;
}

/** Slots of each owner. */
const slots = sql`(SELECT owner, count(*)::int AS taken FROM tasks WHERE slot GROUP BY owner)`;

/**
 * Where the task would come if all slots came free at once and somebody could do every task: 1 is next, `of` wait in
 * all. Null when it does not wait.
 *
 * The tasks of an owner take turns: the first counts the slots that the owner has, each further one a slot more. So of
 * the same rank all those of another owner go before that have an earlier turn, and the one with the same turn if it
 * has waited longer: one pass that counts, without sorting.
 */
export async function placeInQueue(db: Db | Trx, taskId: string): Promise<{ place: number; of: number } | null> {
  const { rows } = await sql<{ place: number; of: number }>`${prepared}
    WITH me AS (
      SELECT t.task_id, t.owner, t.queued_at, ${rankOf('t')} AS rank FROM tasks t
      WHERE t.task_id = ${taskId} AND t.phase = 'queued'
    ), counted AS (
      SELECT q.owner, count(*)::int AS waiting,
        count(*) FILTER (WHERE ${rankOf('q')} < me.rank)::int AS higher,
        count(*) FILTER (WHERE ${rankOf('q')} = me.rank)::int AS equal,
        count(*) FILTER (WHERE ${rankOf('q')} = me.rank
          AND (q.queued_at, q.task_id) < (me.queued_at, me.task_id))::int AS older
      FROM me JOIN tasks q ON q.phase = 'queued' GROUP BY q.owner
    ), owners AS (
      SELECT counted.*, higher + coalesce(slots.taken, 0) AS first_turn
      FROM counted LEFT JOIN ${slots} AS slots ON slots.owner = counted.owner
    ), turns AS (
      SELECT others.*, mine.first_turn + mine.older - others.first_turn AS earlier
      FROM owners AS others JOIN owners AS mine ON mine.owner = (SELECT owner FROM me)
    )
    SELECT (1 + sum(higher + least(greatest(earlier, 0), equal)
        + (earlier >= 0 AND earlier < equal AND earlier < older)::int))::int AS place,
      sum(waiting)::int AS of
    FROM turns HAVING count(*) > 0
  `.execute(db);
  return rows[0] ?? null;
}

/** The same for many at once: one pass over the queue. */
export async function placesOf(db: Db | Trx, taskIds: string[]): Promise<Map<string, number>> {
  if (taskIds.length === 0) return new Map();
  const { rows } = await sql<{ task_id: string; place: number }>`
    WITH queue AS (SELECT t.task_id, t.owner, t.queued_at, ${rankOf('t')} AS rank FROM tasks t WHERE t.phase = 'queued'),
    turns AS (
      SELECT queue.*, coalesce(slots.taken, 0)
        + row_number() OVER (PARTITION BY queue.owner ORDER BY rank, queued_at, task_id) AS turn
      FROM queue LEFT JOIN ${slots} AS slots ON slots.owner = queue.owner
    ), places AS (
      SELECT task_id, row_number() OVER (ORDER BY rank, turn, queued_at, task_id)::int AS place FROM turns
    )
    SELECT task_id, place FROM places WHERE task_id = ANY(${taskIds}::text[])
  `.execute(db);
  return new Map(rows.map(({ task_id, place }) => [task_id, place]));
}
