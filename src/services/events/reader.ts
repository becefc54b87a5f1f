/** One reader's way through the event log: from pages of Postgres while it is behind, from the ring once it has caught up. */
import type { Logger } from 'pino';
import type { Db } from '../../stores/database.ts';
import { type EventPosition, isAfter, parsePosition } from '../../stores/event-position.ts';
import { type LoggedEvent, readEvents } from '../../stores/events.ts';
import type { Tail } from './tail.ts';
import { fitsView, type LiveView } from './view.ts';

export interface EventReader {
  /** The next event that fits the view, if it is at hand: then `more` says when to ask again. */
  take(): LoggedEvent | undefined;
  /** Resolves true when `take` is worth asking again, false once the reader is closed. */
  more(): Promise<boolean>;
  /** Everything up to here was taken, or did not fit. */
  readonly position: EventPosition;
  /** What the view wants was changed: what was read ahead for the old one is read again. */
  changed(): void;
  close(): void;
}

export interface ReaderOptions {
  db: Db;
  log: Logger;
  tail: Tail;
  /** Let through one page at a time: readers that catch up must not take every connection. */
  turn<T>(act: () => Promise<T>): Promise<T>;
  /** Read anew for every event: what it wants may change under way. */
  view: LiveView;
  after: EventPosition;
}

const PAGE = 200;
const SCAN = 2_000;
const AGAIN_MS = 1_000;

/** Takes nothing until asked, holds at most one page, and never passes over or repeats an event. */
export function openReader(options: ReaderOptions): EventReader {
  const { db, log, tail, turn, view } = options;
  let position = options.after;
  let page: LoggedEvent[] = [];
  /** Behind the page; `position` follows as its events are taken. */
  let pageEnd = position;
  /** Number of the next entry in the ring, null while reading pages. */
  let at: number | null = null;
  let over = false;
  /** Counts changes of the view, so that a page read for an older one is told. */
  let generation = 0;
  let wake = () => {};
  const stopListening = tail.onGrowth(() => wake());

  function takeFromPage(): LoggedEvent | undefined {
    for (let event = page.shift(); event; event = page.shift()) {
      position = page.length === 0 ? pageEnd : parsePosition(event.id);
      if (fitsView(view, event)) return event;
    }
    return undefined;
  }

  function takeFromRing(): LoggedEvent | undefined {
    join();
    const { ring } = tail;
    while (ring && at !== null) {
      const entry = ring.at(at);
      if (!entry) return undefined;
      at += 1;
      // The reader may have begun ahead of what the tail had read by then.
      if (!isAfter(entry.position, position)) continue;
      position = entry.position;
      if (fitsView(view, entry.event)) return entry.event;
    }
    return undefined;
  }

  /** From pages to the ring where the two meet, and back when the ring went on without this reader. */
  function join(): void {
    const { ring } = tail;
    if (!ring || page.length > 0) return;
    if (at !== null && at < ring.first) at = null;
    at ??= ring.locate(position);
  }

  async function readPage(): Promise<void> {
    const asked = generation;
    try {
      const { owners, resources, wanted } = view;
      const read = await turn(() =>
        readEvents(db, {
          owners: owners && [...owners],
          resources: [...resources],
          ...(wanted ? { wanted } : {}),
          after: position,
          limit: PAGE,
          scan: SCAN,
        }),
      );
      if (asked !== generation) return;
      page = read.events;
      pageEnd = read.upTo;
      if (page.length === 0) position = pageEnd;
    } catch (err) {
      if (over) return;
      log.warn({ err }, 'the event log could not be read; trying again');
      await woken(AGAIN_MS);
    }
  }

  function woken(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        wake = () => {};
        resolve();
      };
    });
  }

  return {
    take() {
      if (over) return undefined;
      return takeFromPage() ?? takeFromRing();
    },
    async more() {
      while (!over) {
        if (page.length > 0) return true;
        join();
        if (at !== null && at < (tail.ring?.next ?? 0)) return true;
        if (at !== null || !tail.ring) await woken();
        else await readPage();
      }
      return false;
    },
    get position() {
      return position;
    },
    changed() {
      generation += 1;
      page = [];
    },
    close() {
      over = true;
      page = [];
      stopListening();
      wake();
    },
  };
}
