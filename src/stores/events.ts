/** The event log: written in the transaction of the change it tells, read in commit order by position. */
import { type RawBuilder, sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import { eventResource, RUN_EVENTS } from '../schema/live.ts';
import type { EventName } from '../schema/names.ts';
import type { Db, Trx } from './database.ts';
import { type EventPosition, formatPosition, isAfter, parsePosition, positionBelow } from './event-position.ts';
import { uuidV5 } from './ids.ts';

export interface NewEvent {
  name: EventName;
  owner: string;
  /** `file:<id>`: what the event is about, for filters and grants. */
  resource: string | null;
  workflow_id: string | null;
  data: JsonObject;
  /** Everybody who may read events sees it, not its owner alone. */
  shared?: boolean;
  /** Equal keys are one event, however often it is written: `workflow/attempt/step/ordinal`. */
  key: string;
}

export interface LoggedEvent {
  /** `<xid>-<seq>`: resumes after this event. */
  id: string;
  event_id: string;
  name: EventName;
  owner: string;
  resource: string | null;
  data: JsonObject;
  /** Let through whoever owns it. */
  shared: boolean;
  created_at: Date;
}

/** Which events are wanted; fields are joined by and, absent ones let everything through. */
export interface EventFilter {
  names?: readonly EventName[];
  /** Exactly this one. */
  resource?: string;
  /** `pipeline_id` in the event's data. */
  pipelineId?: string;
  /** About this run, or telling of it (`RUN_EVENTS`). */
  runId?: string;
}

export interface EventView {
  /** Owners whose events are let through; null for all of them. */
  owners: readonly string[] | null;
  /** Single resources let through besides; `run:<id>` and `pipeline:<id>` let through all that tells of those runs. */
  resources?: readonly string[];
  /** Any one of these must fit; absent: all that is let through. */
  wanted?: readonly EventFilter[];
}

export interface EventPage {
  events: LoggedEvent[];
  /** Everything up to here was looked at. */
  upTo: EventPosition;
  /** Whether more could follow at once. */
  more: boolean;
  /** Whether there are events that an older transaction still holds back. */
  pending: boolean;
}

/** Name of the LISTEN channel that wakes readers in every process. */
export const EVENTS_CHANNEL = 'ostinato_events';

export async function appendEvents(trx: Trx | Db, events: NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await trx
    .insertInto('event_log')
    .values(
      events.map((event) => ({
        event_id: uuidV5(`event:${event.key}`),
        name: event.name,
        owner: event.owner,
        resource: event.resource,
        workflow_id: event.workflow_id,
        data: JSON.stringify(event.data),
        shared: event.shared ?? false,
      })),
    )
    .onConflict((conflict) => conflict.column('event_id').doNothing())
    // In the same breath: what was told before needs no ring.
    .returning(sql`pg_notify(${EVENTS_CHANNEL}, '')`.as('rung'))
    .execute();
}

type Row = Omit<LoggedEvent, 'id'> & { xid: string; seq: string };

/**
 * Events after `after` in the one global order: of the next `scan` in the log those that fit the view, at most
 * `limit`. Reads only below the oldest running transaction, so that an event which commits late under a lower
 * position is never passed over.
 */
export async function readEvents(
  db: Db,
  options: EventView & { after: EventPosition; limit: number; scan?: number },
): Promise<EventPage> {
  const { after, limit, scan = limit } = options;
  const result = await sql<
    { xmin: string; scanned: number; pending: boolean; last_xid: string | null; last_seq: string | null } & (
      | Row
      | { [name in keyof Row]: null }
    )
  >`
    WITH settled AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin),
    scanned AS MATERIALIZED (
      SELECT xid, seq, event_id, name, owner, resource, data, shared, created_at FROM event_log
      WHERE (xid, seq) > (${after.xid}::xid8, ${after.seq}::bigint) AND xid < (SELECT xmin FROM settled)
      ORDER BY xid, seq LIMIT ${scan}
    ),
    matched AS (SELECT * FROM scanned WHERE ${fits(options)} ORDER BY xid, seq LIMIT ${limit})
    SELECT settled.xmin, (SELECT count(*)::int FROM scanned) AS scanned,
      -- The newest row by the index: to ask for any row above xmin would read them all when there is none.
      coalesce((SELECT xid FROM event_log ORDER BY xid DESC, seq DESC LIMIT 1) >= settled.xmin, false) AS pending,
      last.xid AS last_xid, last.seq AS last_seq, matched.*
    FROM settled
    LEFT JOIN (SELECT xid, seq FROM scanned ORDER BY xid DESC, seq DESC LIMIT 1) AS last ON true
    LEFT JOIN matched ON true
    ORDER BY matched.xid, matched.seq
  `.execute(db);
  const [first] = result.rows;
  const events = result.rows.flatMap((row) => (row.xid === null ? [] : [toEvent(row)]));
  const more = events.length === limit || (first?.scanned ?? 0) === scan;
  const lastScanned = parsePosition(`${first?.last_xid}-${first?.last_seq}`);
  const upTo = more
    ? events.length === limit
      ? parsePosition(events.at(-1)?.id ?? null)
      : lastScanned
    : positionBelow(BigInt(first?.xmin ?? 1));
  // A position that this log has not reached must not be taken back.
  return { events, upTo: isAfter(after, upTo) ? after : upTo, more, pending: first?.pending ?? false };
}

function toEvent({ event_id, name, owner, resource, data, shared, created_at, xid, seq }: Row): LoggedEvent {
  return { id: `${xid}-${seq}`, event_id, name, owner, resource, data, shared, created_at };
}

/** The view as SQL; `fitsView` says the same of an event in memory. */
function fits({ owners, resources = [], wanted }: EventView): RawBuilder<boolean> {
  const all: RawBuilder<boolean>[] = [];
  if (owners !== null) {
    all.push(sql`(shared OR owner = ANY(${owners}::text[]) OR resource = ANY(${resources}::text[])
      OR (${tellsOfRun} AND ('run:' || (data->>'run_id') = ANY(${resources}::text[])
        OR 'pipeline:' || (data->>'pipeline_id') = ANY(${resources}::text[]))))`);
  }
  if (wanted) all.push(sql`(${sql.join([sql`false`, ...wanted.map(one)], sql` OR `)})`);
  return sql.join([sql`true`, ...all], sql` AND `);
}

const tellsOfRun = sql<boolean>`(name = ANY(${sql.lit(`{${RUN_EVENTS.join(',')}}`)}::text[]) AND data ? 'run_id')`;

function one({ names, resource, pipelineId, runId }: EventFilter): RawBuilder<boolean> {
  const all: RawBuilder<boolean>[] = [sql`true`];
  if (names) all.push(sql`name = ANY(${names}::text[])`);
  if (resource !== undefined) all.push(sql`resource = ${resource}`);
  if (pipelineId !== undefined) all.push(sql`data->>'pipeline_id' = ${pipelineId}`);
  if (runId !== undefined) {
    all.push(sql`(resource = ${eventResource.run(runId)} OR (${tellsOfRun} AND data->>'run_id' = ${runId}))`);
  }
  return sql`(${sql.join(all, sql` AND `)})`;
}

/** The newest position: everything before it is settled, the future starts after it. */
export async function eventHead(db: Db): Promise<EventPosition> {
  const result = await sql<{ xmin: string }>`SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin`.execute(db);
  return positionBelow(BigInt(result.rows[0]?.xmin ?? 1));
}

/** The position `count` events before the newest settled one; of a shorter log the one from which it is whole. */
export async function positionBack(db: Db, count: number): Promise<EventPosition> {
  const result = await sql<{ position: string | null }>`
    SELECT coalesce(
      (SELECT xid::text || '-' || seq FROM event_log
        WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY xid DESC, seq DESC OFFSET ${count} LIMIT 1),
      (SELECT events_pruned_xid::text || '-' || events_pruned_seq FROM installation)
    ) AS position
  `.execute(db);
  return parsePosition(result.rows[0]?.position ?? null);
}

/**
 * Whether a reader who goes on after `position` misses events: what came after was pruned, or the log never reached
 * it. Then `oldest` is the position of the oldest event there is, or the head of an empty log; otherwise null.
 */
export async function findGap(db: Db, position: EventPosition): Promise<{ oldest: string } | null> {
  const result = await sql<{ xmin: string; pruned: string | null; oldest: string | null }>`
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin,
      (SELECT events_pruned_xid::text || '-' || events_pruned_seq FROM installation) AS pruned,
      (SELECT xid::text || '-' || seq FROM event_log ORDER BY xid, seq LIMIT 1) AS oldest
  `.execute(db);
  const row = result.rows[0];
  const head = positionBelow(BigInt(row?.xmin ?? 1));
  const pruned = parsePosition(row?.pruned ?? null);
  if (!isAfter(position, head) && !isAfter(pruned, position)) return null;
  return { oldest: row?.oldest ?? formatPosition(head) };
}

/** Removes the oldest events from before `before`, at most `limit`, and notes up to where; resolves with their number. */
export async function pruneEvents(db: Db, before: Date, limit: number): Promise<number> {
  const result = await sql<{ count: number }>`
    WITH old AS (SELECT xid, seq FROM event_log WHERE created_at < ${before} ORDER BY xid, seq LIMIT ${limit}),
    gone AS (DELETE FROM event_log USING old WHERE event_log.xid = old.xid AND event_log.seq = old.seq
      RETURNING event_log.xid, event_log.seq),
    newest AS (SELECT xid, seq FROM gone ORDER BY xid DESC, seq DESC LIMIT 1),
    noted AS (
      UPDATE installation SET events_pruned_xid = newest.xid, events_pruned_seq = newest.seq FROM newest
      WHERE (newest.xid, newest.seq) > (events_pruned_xid, events_pruned_seq)
    )
    SELECT count(*)::int AS count FROM gone
  `.execute(db);
  return result.rows[0]?.count ?? 0;
}
