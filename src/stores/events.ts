/** The event log: written in the transaction of the change it tells, read in commit order by cursor. */
import { sql } from 'kysely';
import type { JsonObject } from '../schema/json.ts';
import type { EventName } from '../schema/names.ts';
import type { Db, Trx } from './database.ts';
import { uuidV5 } from './ids.ts';

export interface NewEvent {
  name: EventName;
  owner: string;
  /** `file:<id>`: what the event is about, for filters and grants. */
  resource: string | null;
  workflow_id: string | null;
  data: JsonObject;
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
  created_at: Date;
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
      })),
    )
    .onConflict((conflict) => conflict.column('event_id').doNothing())
    .execute();
  await sql`SELECT pg_notify(${EVENTS_CHANNEL}, '')`.execute(trx);
}

/**
 * Events after `after` in the one global order, at most `limit`. Reads only below the oldest running transaction,
 * so that an event which commits late under a lower position is never passed over.
 */
export async function readEvents(
  db: Db,
  options: {
    after: string | null;
    owners: string[] | null;
    resources?: string[];
    names?: string[];
    /** Only events whose resource is this one. */
    about?: string;
    limit: number;
  },
): Promise<LoggedEvent[]> {
  const [xid, seq] = parseEventCursor(options.after);
  let query = db
    .selectFrom('event_log')
    .select(['xid', 'seq', 'event_id', 'name', 'owner', 'resource', 'data', 'created_at'])
    .where(sql<boolean>`(xid, seq) > (${xid}::xid8, ${seq}::bigint)`)
    .where(sql<boolean>`xid < pg_snapshot_xmin(pg_current_snapshot())`)
    .orderBy('xid')
    .orderBy('seq')
    .limit(options.limit);
  const { owners, resources, names, about } = options;
  if (owners !== null) {
    query = query.where((eb) =>
      eb.or([
        eb('owner', 'in', owners.length > 0 ? owners : ['']),
        eb('resource', 'in', resources?.length ? resources : ['']),
      ]),
    );
  }
  if (about !== undefined) query = query.where('resource', '=', about);
  if (names?.length) query = query.where('name', 'in', names as EventName[]);
  const rows = await query.execute();
  return rows.map(({ xid, seq, ...row }) => ({ id: `${xid}-${seq}`, ...row }));
}

/** The newest position, for readers that only want what comes next. */
export async function eventHead(db: Db): Promise<string> {
  const result = await sql<{ head: string }>`SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS head`.execute(db);
  // Everything below xmin is settled; the position before it is where the future starts.
  return `${BigInt(result.rows[0]?.head ?? '1') - 1n}-9223372036854775807`;
}

/** Splits a cursor; an unreadable one starts from the beginning of the log. */
export function parseEventCursor(cursor: string | null): [string, string] {
  const match = /^(\d{1,20})-(\d{1,19})$/.exec(cursor ?? '');
  return match ? [match[1] ?? '0', match[2] ?? '0'] : ['0', '0'];
}
