/** Live connections by process and caller: each process writes its own, and reads what the others hold. */
import { sql } from 'kysely';
import type { Db } from './database.ts';

/** What the processes besides one's own hold: of each caller that was asked for, and in all. */
export interface HeldElsewhere {
  callers: ReadonlyMap<string, number>;
  all: number;
  /** Of all, those that are nobody's yet. */
  nameless: number;
}

export interface Settlement {
  process_id: string;
  /** For how long what is written counts unless it is renewed. */
  leaseSeconds: number;
  /** Whom to read the others' count of. */
  callers: readonly string[];
  /**
   * Decides while nobody else can. Answers with what this process holds then: in all, nobody's yet, of those callers
   * that changed, and of every caller, for when the others have forgotten us. What it throws undoes the settlement.
   */
  decide(elsewhere: HeldElsewhere): {
    all: number;
    nameless: number;
    changed: ReadonlyMap<string, number>;
    every: ReadonlyMap<string, number>;
  };
}

/** Any number that no other lock of ours has. */
const LOCK = 5711863;
/** Processes that did not renew for so long are forgotten; they count for nothing long before. */
const FORGET_SECONDS = 60;

/**
 * One short transaction at a time over all processes, so that no two grant the same place. Rejects when its turn does not
 * come within 2 s; a process that stops in the middle of its own loses it after 5 s.
 */
export async function settleConnections(db: Db, settlement: Settlement): Promise<void> {
  const { process_id, leaseSeconds, callers, decide } = settlement;
  await db.transaction().execute(async (trx) => {
    await sql`
      SELECT set_config('lock_timeout', '2s', true), set_config('idle_in_transaction_session_timeout', '5s', true)
    `.execute(trx);
    await sql`SELECT pg_advisory_xact_lock(${LOCK})`.execute(trx);
    const found = await sql<{ caller: string | null; held: number; nameless: number }>`
      WITH others AS (
        SELECT process_id, held, nameless FROM live_processes
        WHERE until > clock_timestamp() AND process_id <> ${process_id})
      SELECT NULL AS caller, coalesce(sum(held), 0)::int AS held, coalesce(sum(nameless), 0)::int AS nameless FROM others
      UNION ALL
      SELECT h.caller, sum(h.held)::int, 0 FROM live_holdings h JOIN others o USING (process_id)
      WHERE h.caller = ANY(${callers}::text[]) GROUP BY h.caller
    `.execute(trx);
    const inAll = found.rows.find(({ caller }) => caller === null);
    const { all, nameless, changed, every } = decide({
      all: inAll?.held ?? 0,
      nameless: inAll?.nameless ?? 0,
      callers: new Map(found.rows.flatMap(({ caller, held }) => (caller === null ? [] : [[caller, held] as const]))),
    });
    const renewed = await sql<{ is_new: boolean }>`
      INSERT INTO live_processes (process_id, until, held, nameless)
      VALUES (${process_id}, clock_timestamp() + make_interval(secs => ${leaseSeconds}), ${all}, ${nameless})
      ON CONFLICT (process_id)
      DO UPDATE SET until = excluded.until, held = excluded.held, nameless = excluded.nameless
      RETURNING xmax = 0 AS is_new
    `.execute(trx);
    const written = renewed.rows[0]?.is_new ? every : changed;
    if (written.size === 0) return;
    const names = [...written.keys()];
    await sql`
      WITH given AS (SELECT * FROM unnest(${names}::text[], ${[...written.values()]}::int[]) AS g (caller, held)),
      gone AS (
        DELETE FROM live_holdings h USING given g
        WHERE h.process_id = ${process_id} AND h.caller = g.caller AND g.held = 0)
      INSERT INTO live_holdings (process_id, caller, held)
      SELECT ${process_id}, caller, held FROM given WHERE held > 0
      ON CONFLICT (caller, process_id) DO UPDATE SET held = excluded.held
    `.execute(trx);
  });
}

/** Takes a process that holds nothing off, and forgets those that died. */
export async function forgetProcess(db: Db, process_id: string): Promise<void> {
  await sql`
    DELETE FROM live_processes
    WHERE process_id = ${process_id} OR until < clock_timestamp() - make_interval(secs => ${FORGET_SECONDS})
  `.execute(db);
}
