/** A store of counts in memory that several limiters share, as several processes share a server. */
import type { Counted, LimitStore } from '../../../src/stores/limits.ts';

export interface SharedStore extends LimitStore {
  /** Calls of `add` so far. */
  adds: number;
  isAway: boolean;
  /** As a crash of its server does. */
  forget(): void;
}

export function sharedStore(now: () => number, windowMs = 60_000): SharedStore {
  const windows = new Map<string, Counted>();
  const open = (key: string) => {
    const found = windows.get(key);
    return found && found.until > now() ? found : null;
  };
  return {
    kind: 'postgres',
    adds: 0,
    isAway: false,
    forget: () => windows.clear(),
    async add(key, points) {
      this.adds += 1;
      if (this.isAway) throw new Error('connection refused');
      const window = open(key) ?? { points: 0, until: now() + windowMs };
      window.points += points;
      windows.set(key, window);
      return { ...window };
    },
    async read(key) {
      if (this.isAway) throw new Error('connection refused');
      const window = open(key);
      return window && { ...window };
    },
    async close() {},
  };
}
