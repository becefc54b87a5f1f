/** Events as they are committed, for everyone in this process who waits for them. */
import type { Deps } from '../deps.ts';
import { BEGINNING, type EventPosition, isAfter, parsePosition } from '../stores/event-position.ts';
import { type EventView, eventHead, findGap, type LoggedEvent } from '../stores/events.ts';
import { openBell, waitFor } from './events/bell.ts';
import { type EventReader, openReader } from './events/reader.ts';
import type { RingLimits } from './events/ring.ts';
import { asked, createTurns } from './events/shared.ts';
import { followLog, type Tail } from './events/tail.ts';
import type { LiveView } from './events/view.ts';

export interface Subscription extends EventView {
  /** Position after which to begin, `0` from the oldest event; undefined from now on. */
  after?: string | undefined;
}

export interface EventHub {
  /**
   * Events in commit order until `signal` aborts or the hub closes. Pulled, never pushed: a reader that stops
   * reading holds nothing in memory, and goes on where it was. A database that is away is waited for.
   */
  subscribe(subscription: Subscription, signal: AbortSignal): AsyncIterable<LoggedEvent>;
  /** The same for who wants to take without waiting, and to change what it wants while it reads. */
  open(view: LiveView, after: EventPosition): EventReader;
  /** Everything that was committed before this was asked lies before the answer, or is not yet readable. */
  head(): Promise<EventPosition>;
  /** Whether who goes on after `position` misses something; then where the oldest event is. */
  gap(position: EventPosition): Promise<{ oldest: string } | null>;
  close(): Promise<void>;
}

const RING: RingLimits = { events: 10_000, bytes: 32 * 1024 * 1024 };
const WARM_EVENTS = 2_000;
/** Readers that catch up read one page each in turn, so many at once. */
const CATCHING_UP = 2;
const AGAIN_MS = 1_000;

/** One LISTEN connection and one reader of the log, from the first subscription on, however many subscribe. */
export function createEventHub(
  deps: Pick<Deps, 'db' | 'config' | 'log'>,
  options: { ring?: RingLimits; warm?: number } = {},
): EventHub {
  const { db, log } = deps;
  const closing = new AbortController();
  const readers = new Set<EventReader>();
  const turn = createTurns(CATCHING_UP);
  const head = asked(() => eventHead(db));
  let following: { tail: Tail; closed: Promise<unknown> } | undefined;

  function follow(): Tail {
    if (!following) {
      const { signal } = closing;
      const bell = openBell(deps, signal);
      const { ring: limits = RING, warm = WARM_EVENTS } = options;
      const tail = followLog({ db, log, bell, limits, warm, signal });
      following = { tail, closed: Promise.all([bell.closed, tail.closed]) };
    }
    return following.tail;
  }

  function open(view: LiveView, after: EventPosition): EventReader {
    const reader = openReader({ db, log, tail: follow(), turn, view, after });
    readers.add(reader);
    const close = () => {
      readers.delete(reader);
      reader.close();
    };
    if (closing.signal.aborted) close();
    return {
      ...reader,
      close,
      get position() {
        return reader.position;
      },
    };
  }

  /** Where now is; the beginning for who leaves before that is known. */
  async function patientHead(signal: AbortSignal): Promise<EventPosition> {
    const until = AbortSignal.any([signal, closing.signal]);
    while (!until.aborted) {
      try {
        return await head();
      } catch (err) {
        log.warn({ err }, 'the event log could not be read; trying again');
        await waitFor(new Promise(() => {}), AGAIN_MS, until);
      }
    }
    return BEGINNING;
  }

  async function* subscribe(subscription: Subscription, signal: AbortSignal): AsyncGenerator<LoggedEvent> {
    const { owners, resources = [], wanted = null } = subscription;
    const view = { owners: owners && new Set(owners), resources: new Set(resources), wanted };
    const after = subscription.after === undefined ? await patientHead(signal) : parsePosition(subscription.after);
    const reader = open(view, after);
    signal.addEventListener('abort', reader.close, { once: true });
    if (signal.aborted) reader.close();
    try {
      while (await reader.more()) {
        for (let event = reader.take(); event; event = reader.take()) yield event;
      }
    } finally {
      signal.removeEventListener('abort', reader.close);
      reader.close();
    }
  }

  return {
    subscribe,
    open,
    head,
    async gap(position) {
      if (position.xid === 0n) return null;
      const { ring, position: read } = follow();
      // Most who come back were away for a moment, all of them at once.
      if (!isAfter(position, read) && ring !== null && ring.locate(position) !== null) return null;
      return turn(() => findGap(db, position));
    },
    async close() {
      closing.abort();
      for (const reader of readers) reader.close();
      await following?.closed;
    },
  };
}
