/** The newest stretch of the event log in memory, without a hole, for all readers of a process. */
import { type EventPosition, isAfter, parsePosition } from '../../stores/event-position.ts';
import type { LoggedEvent } from '../../stores/events.ts';

export interface RingEntry {
  position: EventPosition;
  event: LoggedEvent;
  bytes: number;
}

export interface Ring {
  /** Number of the oldest entry held; numbers go on without end. */
  readonly first: number;
  /** Number that the next entry will have. */
  readonly next: number;
  at(number: number): RingEntry | undefined;
  /** Number of the first entry after `position`; null when events after it have left the ring already. */
  locate(position: EventPosition): number | null;
  push(events: readonly LoggedEvent[]): void;
}

export interface RingLimits {
  events: number;
  bytes: number;
}

/** What an event weighs besides its data. */
const ENTRY_BYTES = 400;

/** Holds every event after `floor` that is pushed, the newest within `limits`. */
export function createRing(floor: EventPosition, limits: RingLimits): Ring {
  let entries: RingEntry[] = [];
  /** Where in `entries` the oldest stands, and its number. */
  let start = 0;
  let first = 0;
  let bytes = 0;

  function evict(): void {
    while (entries.length - start > 1 && (entries.length - start > limits.events || bytes > limits.bytes)) {
      const oldest = entries[start];
      if (!oldest) return;
      floor = oldest.position;
      bytes -= oldest.bytes;
      start += 1;
      first += 1;
    }
    // Moved seldom: half of the array is gone by then.
    if (start > 1024 && start > entries.length / 2) {
      entries = entries.slice(start);
      start = 0;
    }
  }

  return {
    get first() {
      return first;
    },
    get next() {
      return first + entries.length - start;
    },
    at: (number) => (number < first ? undefined : entries[start + number - first]),
    locate(position) {
      if (isAfter(floor, position)) return null;
      let [low, high] = [start, entries.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        const entry = entries[middle];
        if (entry && isAfter(entry.position, position)) high = middle;
        else low = middle + 1;
      }
      return first + low - start;
    },
    push(events) {
      for (const event of events) {
        const entry = { position: parsePosition(event.id), event, bytes: weigh(event) };
        entries.push(entry);
        bytes += entry.bytes;
      }
      evict();
    },
  };
}

function weigh(event: LoggedEvent): number {
  return JSON.stringify(event.data).length * 2 + ENTRY_BYTES;
}
