/** How many sockets and event streams there may be, of one caller and in all, counted over all processes. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../../schema/config.ts';
import { Failure } from '../../schema/failures.ts';
import type { Db } from '../../stores/database.ts';
import { forgetProcess, type HeldElsewhere, settleConnections } from '../../stores/live-connections.ts';

/** A place that a connection holds. */
export interface Place {
  /** Whose it is, once that is known. Throws Failure('too_many_requests'); the place is kept until it is released. */
  nameCaller(caller: string): Promise<void>;
  /** A second call is none. */
  release(): void;
}

export interface Connections {
  /**
   * Takes a place; `caller` null while nobody knows whose it is: those may hold half of all places together. Throws
   * Failure: `too_many_requests` when the caller has its share already, `unavailable` when there is no place.
   */
  take(caller: string | null): Promise<Place>;
  /** Gives everything back at once, for a process that ends. */
  close(): Promise<void>;
}

export interface ConnectionsOptions {
  db: Db;
  log: Pick<Logger, 'info' | 'warn'>;
  config: Pick<Config, 'WS_MAX_CONNECTIONS' | 'WS_MAX_PER_CALLER'>;
  /** The places of a process that died are free after so long; it renews three times as often. */
  leaseMs?: number;
}

const LEASE_MS = 15_000;
const RETRY_SECONDS = 5;
/** Places that were given back are told to the others together. */
const GATHER_MS = 50;
const NOWHERE: HeldElsewhere = { callers: new Map(), all: 0, nameless: 0 };
/** A settlement that takes longer has as good as failed; it ends by itself, and until then no other is begun. */
const SETTLE_MS = 3_000;
/** Of all places, for those that are nobody's yet. */
const NAMELESS_SHARE = 0.5;
/** A process may hold so many times what is left of that share: it is never one process that takes it all. */
const NAMELESS_REACH = 4;

interface Holding {
  state: 'asked' | 'held' | 'released';
  /** Null: nobody's yet. */
  caller: string | null;
}

interface Ask {
  holding: Holding;
  caller: string | null;
  resolve(): void;
  reject(failure: Failure): void;
}

/**
 * What is asked while a settlement with the database is on its way goes into the next one, so that a thousand
 * connections take a few. While the database is away each process counts for itself.
 */
export function createConnections(options: ConnectionsOptions): Connections {
  const { db, log, leaseMs = LEASE_MS } = options;
  const { WS_MAX_CONNECTIONS: most, WS_MAX_PER_CALLER: mostPerCaller } = options.config;
  const mostNameless = mostNamelessOf(most);
  const process_id = randomUUID();
  const held = new Map<string, number>();
  let all = 0;
  /** Held by nobody known, of all. */
  let nameless = 0;
  let asks: Ask[] = [];
  /** Callers whose count the others do not know yet. */
  let changed = new Set<string>();
  let isUntold = false;
  let settling: Promise<void> | null = null;
  /** With the database, and perhaps given up waiting for. */
  let isUnderWay = false;
  let isAway = false;
  let later: NodeJS.Timeout | undefined;
  let renewal: NodeJS.Timeout | undefined;

  function add(caller: string | null, by: 1 | -1): void {
    if (caller === null) {
      nameless += by;
      return;
    }
    const left = (held.get(caller) ?? 0) + by;
    if (left > 0) held.set(caller, left);
    else held.delete(caller);
    changed.add(caller);
  }

  /** Null when it may have the place. */
  function refusal({ holding, caller }: Ask, elsewhere: HeldElsewhere): Failure | null {
    const retry = { retryAfterSeconds: RETRY_SECONDS };
    if (holding.state === 'asked' && all + elsewhere.all >= most) {
      return new Failure('unavailable', 'No room for another connection', retry);
    }
    const free = mostNameless - nameless - elsewhere.nameless;
    if (caller === null && nameless >= NAMELESS_REACH * free) {
      return new Failure('unavailable', 'No room for another connection that is not signed in', retry);
    }
    const ofCaller = caller === null ? 0 : (held.get(caller) ?? 0) + (elsewhere.callers.get(caller) ?? 0);
    if (ofCaller < mostPerCaller) return null;
    return new Failure('too_many_requests', `A caller may have ${mostPerCaller} sockets and event streams`, retry);
  }

  /** Takes the place, or does not; what it returns tells whoever asked. */
  function grant(ask: Ask, elsewhere: HeldElsewhere): () => void {
    const { holding, caller, resolve, reject } = ask;
    // It left while it waited for its name.
    if (holding.state === 'released') return resolve;
    const refused = refusal(ask, elsewhere);
    if (refused) return () => reject(refused);
    if (holding.state === 'asked') all += 1;
    else add(holding.caller, -1);
    holding.state = 'held';
    holding.caller = caller;
    add(caller, 1);
    return resolve;
  }

  /** Rejects when it takes too long, and while what did is under way still: another would only wait behind it. */
  async function inTime(work: () => Promise<void>): Promise<void> {
    if (isUnderWay) throw new Error('an earlier settlement has not ended yet');
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`not settled within ${SETTLE_MS} ms`)), SETTLE_MS);
    isUnderWay = true;
    const working = work().finally(() => {
      isUnderWay = false;
    });
    try {
      await Promise.race([working, late]);
    } finally {
      clearTimeout(timer);
      working.catch(() => {});
    }
  }

  async function settle(): Promise<void> {
    const batch = asks;
    asks = [];
    isUntold = false;
    let told = new Set<string>();
    const answers: (() => void)[] = [];
    let isDecided = false;
    const decide = (elsewhere: HeldElsewhere) => {
      if (isDecided) throw new Error('it was decided without the others meanwhile');
      isDecided = true;
      answers.push(...batch.map((ask) => grant(ask, elsewhere)));
      [told, changed] = [changed, new Set()];
      return {
        all,
        nameless,
        changed: new Map([...told].map((caller) => [caller, held.get(caller) ?? 0])),
        every: held,
      };
    };
    try {
      if (batch.length === 0 && all === 0) {
        changed.clear();
        await inTime(() => forgetProcess(db, process_id));
      } else {
        const callers = [...new Set(batch.map(({ caller }) => caller))].filter((caller) => caller !== null);
        await inTime(() => settleConnections(db, { process_id, leaseSeconds: leaseMs / 1000, callers, decide }));
      }
      if (isAway) log.info('live connections are counted over all processes again');
      isAway = false;
    } catch (err) {
      if (!isAway) log.warn({ err }, 'the database is away: each process counts its live connections for itself');
      isAway = true;
      if (!isDecided) decide(NOWHERE);
      // What the others have not heard is told them again.
      for (const caller of told) changed.add(caller);
    }
    // Not before the commit: until then another process may be told that there is room.
    for (const answer of answers) answer();
  }

  function settleSoon(): void {
    if (settling) return;
    clearTimeout(later);
    later = undefined;
    settling = settle().finally(() => {
      settling = null;
      keepRenewing();
      if (asks.length > 0) settleSoon();
      else if (isUntold) settleLater();
    });
  }

  function settleLater(): void {
    isUntold = true;
    later ??= setTimeout(settleSoon, GATHER_MS);
  }

  function keepRenewing(): void {
    if (all > 0) renewal ??= setInterval(settleSoon, leaseMs / 3).unref();
    else {
      clearInterval(renewal);
      renewal = undefined;
    }
  }

  function ask(holding: Holding, caller: string | null): Promise<void> {
    return new Promise((resolve, reject) => {
      asks.push({ holding, caller, resolve, reject });
      settleSoon();
    });
  }

  return {
    async take(caller) {
      const holding: Holding = { state: 'asked', caller: null };
      await ask(holding, caller);
      return {
        nameCaller: (name) => ask(holding, name),
        release() {
          if (holding.state === 'released') return;
          holding.state = 'released';
          all -= 1;
          add(holding.caller, -1);
          settleLater();
        },
      };
    },
    async close() {
      clearTimeout(later);
      clearInterval(renewal);
      await settling;
      await inTime(() => forgetProcess(db, process_id)).catch(() => {});
    },
  };
}

/** Of so many places in all, how many may be held over all processes while nobody knows whose they are. */
export function mostNamelessOf(most: number): number {
  return Math.max(1, Math.floor(most * NAMELESS_SHARE));
}
