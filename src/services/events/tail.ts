/** The one reader of a process that follows the event log to its end and fills the ring from which all others take. */
import type { Logger } from 'pino';
import type { Db } from '../../stores/database.ts';
import { BEGINNING, type EventPosition } from '../../stores/event-position.ts';
import { type EventPage, positionBack, readEvents } from '../../stores/events.ts';
import { type Bell, waitFor } from './bell.ts';
import { createRing, type Ring, type RingLimits } from './ring.ts';

export interface Tail {
  /** Null until the database was reached for the first time. */
  readonly ring: Ring | null;
  /** The log was read up to here. */
  readonly position: EventPosition;
  /** Calls back whenever the ring has grown; answers with how to stop that. */
  onGrowth(listener: () => void): () => void;
  /** Resolves after the signal aborted. */
  readonly closed: Promise<void>;
}

export interface TailOptions {
  db: Db;
  log: Logger;
  bell: Bell;
  limits: RingLimits;
  /** So many events are in the ring from the start: those who come back after a restart read from memory. */
  warm: number;
  signal: AbortSignal;
}

const PAGE = 1_000;
/** An event stays unreadable while an older transaction runs: looked at again, ever later, up to this. */
const FIRST_LOOK_MS = 10;
const LAST_LOOK_MS = 100;
/** Reads happen at least this often, whatever became of the notifications, and while none can come. */
const SAFETY_MS = 5_000;
const DEAF_MS = 500;
const AGAIN_MS = 1_000;

export function followLog(options: TailOptions): Tail {
  const { db, log, bell, limits, warm, signal } = options;
  const listeners = new Set<() => void>();
  let ring: Ring | null = null;
  let position = BEGINNING;

  async function run(): Promise<void> {
    const begin = await untilDone(() => positionBack(db, warm));
    if (begin === null) return;
    position = begin;
    ring = createRing(position, limits);
    tell();
    let look = FIRST_LOOK_MS;
    while (!signal.aborted) {
      // Asked for before reading: a notification in between must not be missed.
      const rung = bell.next();
      const after = position;
      const page: EventPage | null = await untilDone(() => readEvents(db, { owners: null, after, limit: PAGE }));
      if (page === null) return;
      position = page.upTo;
      if (page.events.length > 0) {
        ring.push(page.events);
        tell();
      }
      if (page.more) continue;
      const pause = page.pending ? look : bell.connected ? SAFETY_MS : DEAF_MS;
      const byBell = await waitFor(rung, pause, signal);
      look = byBell || !page.pending ? FIRST_LOOK_MS : Math.min(look * 2, LAST_LOOK_MS);
    }
  }

  /** Null once the signal aborted; a database that is away is waited for. */
  async function untilDone<T>(ask: () => Promise<T>): Promise<T | null> {
    while (!signal.aborted) {
      try {
        return await ask();
      } catch (err) {
        if (signal.aborted) return null;
        log.warn({ err }, 'the event log could not be read; trying again');
        await waitFor(new Promise(() => {}), AGAIN_MS, signal);
      }
    }
    return null;
  }

  function tell(): void {
    for (const listener of listeners) listener();
  }

  return {
    get ring() {
      return ring;
    },
    get position() {
      return position;
    },
    onGrowth(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    closed: run(),
  };
}
