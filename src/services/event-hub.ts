/** Events as they are committed, for readers that wait: one LISTEN connection a process wakes them all. */
import pg from 'pg';
import type { Deps } from '../deps.ts';
import { EVENTS_CHANNEL, eventHead, type LoggedEvent, readEvents } from '../stores/events.ts';

export interface Subscription {
  /** Position after which to begin; `null` from the oldest event; undefined from now on. */
  after?: string | null | undefined;
  /** Owners whose events are let through; null for all of them. */
  owners: string[] | null;
  /** Single resources let through besides. */
  resources?: string[];
  names?: string[];
  /** Only events about this resource. */
  about?: string;
}

export interface EventHub {
  /**
   * Events in commit order until `signal` aborts or the hub closes. Pulled, never pushed: a reader that stops
   * reading holds nothing in memory, and goes on where it was. A database that is away is waited for.
   */
  subscribe(subscription: Subscription, signal: AbortSignal): AsyncIterable<LoggedEvent>;
  close(): Promise<void>;
}

const PAGE = 200;
/** Reads happen at least this often, whatever became of the notifications. */
const SAFETY_MS = 5_000;
/** After a notification: an event stays unreadable while an older transaction runs, so look again, ever later. */
const FIRST_LOOK_MS = 10;
const RECONNECT_MS = 1_000;

export function createEventHub(deps: Pick<Deps, 'db' | 'config' | 'log'>): EventHub {
  const closing = new AbortController();
  const bell = createBell();
  let listener: Promise<void> | undefined;

  async function* subscribe(subscription: Subscription, signal: AbortSignal): AsyncGenerator<LoggedEvent> {
    const until = AbortSignal.any([signal, closing.signal]);
    listener ??= listen(deps, bell.ring, closing.signal);
    const { owners, resources, names, about } = subscription;
    const filter = {
      owners,
      ...(resources ? { resources } : {}),
      ...(names ? { names } : {}),
      ...(about ? { about } : {}),
    };
    let after = subscription.after;
    let pause = FIRST_LOOK_MS;
    while (!until.aborted) {
      // Asked for before reading: a notification in between must not be missed.
      const rung = bell.next();
      let events: LoggedEvent[] | null = null;
      try {
        after ??= subscription.after === undefined ? await eventHead(deps.db) : null;
        events = await readEvents(deps.db, { after, limit: PAGE, ...filter });
      } catch (err) {
        deps.log.warn({ err }, 'the event log could not be read; trying again');
      }
      for (const event of events ?? []) {
        if (until.aborted) return;
        yield event;
        after = event.id;
      }
      if (events?.length === PAGE) continue;
      const byBell = await waitFor(rung, pause, until);
      pause = byBell ? FIRST_LOOK_MS : Math.min(pause * 2, SAFETY_MS);
    }
  }

  return {
    subscribe,
    async close() {
      closing.abort();
      await listener;
    },
  };
}

/** Everyone who asked before a ring is told by it. */
function createBell(): { ring(): void; next(): Promise<void> } {
  let { promise, resolve } = Promise.withResolvers<void>();
  return {
    ring() {
      resolve();
      ({ promise, resolve } = Promise.withResolvers<void>());
    },
    next: () => promise,
  };
}

/** True when the bell rang within `ms`. */
function waitFor(rung: Promise<void>, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (byBell: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      resolve(byBell);
    };
    const aborted = () => done(false);
    const timer = setTimeout(() => done(false), ms);
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) return done(false);
    rung.then(() => done(true));
  });
}

/** Keeps one connection on the channel until `signal` aborts; readers poll while it is away. */
async function listen(deps: Pick<Deps, 'config' | 'log'>, ring: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const client = new pg.Client({
      connectionString: deps.config.DATABASE_URL,
      application_name: 'ostinato-events',
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    });
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    client.on('error', () => end());
    client.on('end', () => end());
    client.on('notification', () => ring());
    const stop = () => end();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await client.connect();
      await client.query(`LISTEN ${EVENTS_CHANNEL}`);
      // What was committed while nobody listened.
      ring();
      await over;
    } catch (err) {
      deps.log.warn({ err }, 'the event channel could not be opened; trying again');
    }
    signal.removeEventListener('abort', stop);
    await client.end().catch(() => {});
    await waitFor(new Promise(() => {}), RECONNECT_MS, signal);
  }
}
