/** Rate limits that hold over all processes: points of a window are taken from the shared store by the handful and spent here. */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { RATE_CLASSES, RATE_WINDOW_SECONDS, type RateClass } from '../schema/limits.ts';
import type { LimitStore } from './limits.ts';

/** A handful is this part of the limit: twenty processes can each hold one before the first is refused. */
const HANDFULS = 20;
/** A smaller handful is not asked for ahead of need: what one process holds ready another cannot spend. */
const WORTH_ASKING_AHEAD = 8;
const WINDOW_MS = RATE_WINDOW_SECONDS * 1000;
/** A store that takes longer than this to count is as good as away. */
const STORE_MS = 500;
/** How long a store that was away is left alone. */
const PAUSE_MS = 5_000;
/** Two ends of a window further apart than this are of two windows; closer ones differ by the time of the answer. */
const SAME_WINDOW_MS = 1_000;
const MAX_CALLERS = 20_000;
/** The column holds 255 characters; ids may be longer. */
const MAX_KEY = 200;

/** Where a caller stands after a call. */
export interface RateState {
  class: RateClass;
  limit: number;
  /** At most: other processes may have taken more since this one asked. */
  remaining: number;
  /** Until the window ends, rounded up. */
  resetSeconds: number;
  refused: boolean;
}

export interface RateLimits {
  /**
   * Counts one call of `caller`. Null where the class has no limit. Resolves at once as long as there are points here.
   * `leave`: a part of the limit, from 0 to 1, that this call does not touch, so that other calls find it.
   */
  take(caller: string, kind: RateClass, leave?: number): RateState | null | Promise<RateState>;
  /** Where a caller stands in every class that has a limit, without counting. */
  look(caller: string): Promise<RateState[]>;
  close(): Promise<void>;
}

/** What this process knows of one caller and class. */
interface Window {
  /** Points to spend here. */
  left: number;
  /** What the store had left beyond those, when it was last asked. */
  beyond: number;
  /** Points spent here in this window. */
  spent: number;
  until: number;
  /** What is here was granted by this process itself, the whole limit at once. */
  isAlone: boolean;
  asking: Promise<void> | null;
}

/**
 * A window is a minute that begins with a caller's first call. Over all processes no more than the limit is spent in
 * it. While the store is away each process grants the whole limit by itself: no call is refused for a fault of ours.
 */
export function openRateLimits(options: {
  store: LimitStore;
  limits: Record<RateClass, number>;
  log: Pick<Logger, 'info' | 'warn'>;
  now?: () => number;
}): RateLimits {
  const { store, limits, log } = options;
  const now = options.now ?? Date.now;
  const windows = new LRUCache<string, Window>({ max: MAX_CALLERS });
  let pausedUntil = 0;
  let isAway = false;

  function windowOf(key: string): Window {
    let window = windows.get(key);
    if (!window) {
      window = { left: 0, beyond: 0, spent: 0, until: 0, isAlone: false, asking: null };
      windows.set(key, window);
    }
    return window;
  }

  async function count<T>(step: () => Promise<T>): Promise<T | null> {
    if (now() < pausedUntil) return null;
    try {
      const counted = await within(step());
      if (isAway) log.info(`the ${store.kind} of the rate limits is back`);
      isAway = false;
      return counted;
    } catch (err) {
      pausedUntil = now() + PAUSE_MS;
      if (!isAway) log.warn({ err }, `the ${store.kind} of the rate limits is away: each process counts for itself`);
      isAway = true;
      return null;
    }
  }

  /** Takes a handful from the store, or what is left there. */
  async function ask(key: string, window: Window, limit: number): Promise<void> {
    const handful = handfulOf(limit);
    const counted = await count(() => store.add(key, handful));
    const isNew = window.until <= now();
    if (counted === null) {
      if (isNew) begin(window, now() + WINDOW_MS);
      window.isAlone = true;
      window.left = Math.max(0, limit - window.spent);
      window.beyond = 0;
      return;
    }
    if (isNew || Math.abs(counted.until - window.until) > SAME_WINDOW_MS) begin(window, counted.until);
    window.isAlone = false;
    // Of the handful only what lies below the limit is ours.
    window.left += Math.min(handful, Math.max(0, limit - (counted.points - handful)));
    window.beyond = Math.max(0, limit - counted.points);
  }

  /** Takes a handful when as many points as are to be spared are left in the store after it; else only learns how many are. */
  async function askSparing(key: string, window: Window, limit: number, spared: number): Promise<void> {
    // Handfuls of which the last would lie in what is spared could be spent by nobody else.
    const counted = spared === 0 ? null : await count(() => store.read(key));
    if (counted === null || limit - counted.points - handfulOf(limit) >= spared) return ask(key, window, limit);
    const isNew = window.until <= now();
    if (isNew || Math.abs(counted.until - window.until) > SAME_WINDOW_MS) begin(window, counted.until);
    window.beyond = Math.max(0, limit - counted.points);
  }

  function askOnce(key: string, window: Window, limit: number, spared: number): Promise<void> {
    window.asking ??= askSparing(key, window, limit, spared).finally(() => {
      window.asking = null;
    });
    return window.asking;
  }

  function spend(key: string, window: Window, limit: number, kind: RateClass, spared: number): RateState {
    window.left -= 1;
    window.spent += 1;
    const handful = Math.floor(limit / HANDFULS);
    if (handful >= WORTH_ASKING_AHEAD && window.left < handful / 4 && window.beyond > spared) {
      void askOnce(key, window, limit, spared);
    }
    return state(window, limit, kind, false);
  }

  function state(window: Window, limit: number, kind: RateClass, refused: boolean): RateState {
    return {
      class: kind,
      limit,
      remaining: refused ? 0 : window.left + window.beyond,
      resetSeconds: Math.max(1, Math.ceil((window.until - now()) / 1000)),
      refused,
    };
  }

  async function takeSlowly(
    key: string,
    window: Window,
    limit: number,
    kind: RateClass,
    spared: number,
  ): Promise<RateState> {
    const needed = spared === 0 ? 1 : handfulOf(limit) + spared;
    for (;;) {
      const isOver = window.until <= now();
      if (!isOver && inHand(window, spared) > 0) return spend(key, window, limit, kind, spared);
      // A window of which everything is spent; without `asking` there is no more to come.
      if (!isOver && window.beyond < needed && window.asking === null) return state(window, limit, kind, true);
      await askOnce(key, window, limit, spared);
      if (window.until > now()) continue;
      // A window that ended while the store was being asked: its point serves the call that asked for it.
      if (inHand(window, spared) > 0) return spend(key, window, limit, kind, spared);
      if (spared > 0) return state(window, limit, kind, true);
    }
  }

  return {
    take(caller, kind, leave = 0) {
      const limit = limits[kind];
      if (limit === 0) return null;
      const spared = Math.floor(limit * leave);
      const key = keyOf(caller, kind);
      const window = windowOf(key);
      if (inHand(window, spared) > 0 && now() < window.until) return spend(key, window, limit, kind, spared);
      return takeSlowly(key, window, limit, kind, spared);
    },

    look(caller) {
      const kinds = RATE_CLASSES.filter((kind) => limits[kind] > 0);
      return Promise.all(
        kinds.map(async (kind) => {
          const limit = limits[kind];
          const key = keyOf(caller, kind);
          const counted = await count(() => store.read(key));
          const window = windows.peek(key);
          const open = window !== undefined && now() < window.until ? window : null;
          // What lies ready here is not used yet.
          const used = counted ? counted.points - (open?.left ?? 0) : (open?.spent ?? 0);
          const until = counted?.until ?? open?.until;
          return {
            class: kind,
            limit,
            remaining: Math.max(0, limit - used),
            resetSeconds: until === undefined ? 0 : Math.max(0, Math.ceil((until - now()) / 1000)),
            refused: false,
          };
        }),
      );
    },

    close: () => store.close(),
  };
}

function handfulOf(limit: number): number {
  return Math.max(1, Math.floor(limit / HANDFULS));
}

/** Points to spend here: a handful was taken when enough was left to be spared, but not what a process granted itself. */
function inHand(window: Window, spared: number): number {
  return window.isAlone ? window.left - spared : window.left;
}

function begin(window: Window, until: number): void {
  window.isAlone = false;
  window.left = 0;
  window.beyond = 0;
  window.spent = 0;
  window.until = until;
}

/** A caller's key in the store: readable as long as it fits. */
function keyOf(caller: string, kind: RateClass): string {
  const key = `${kind}:${caller}`;
  if (key.length <= MAX_KEY) return key;
  return `${kind}:#${createHash('sha256').update(caller).digest('base64url')}`;
}

async function within<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${STORE_MS} ms`)), STORE_MS);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
