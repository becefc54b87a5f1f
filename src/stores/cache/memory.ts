/** A cache in the process, bounded by bytes: what was used longest ago goes first. */
import { LRUCache } from 'lru-cache';
import { Failure } from '../../schema/failures.ts';
import type { Cache } from '../contract.ts';

/** What an entry costs besides its text, roughly: the map's slots, links and times. */
const ENTRY_BYTES = 128;

/** A value larger than `maxBytes` is not kept. Strings count two bytes a character. */
export function memoryCache(options: { maxBytes: number }): Cache {
  const entries = new LRUCache<string, string>({
    maxSize: options.maxBytes,
    sizeCalculation: (value, key) => ENTRY_BYTES + 2 * (key.length + value.length),
  });
  return {
    kind: 'memory',
    async ping() {},
    get: async (key) => entries.get(key) ?? null,
    async set(key, value, ttlSeconds) {
      entries.set(key, value, { ttl: ttlMs(ttlSeconds) });
    },
    async delete(key) {
      entries.delete(key);
    },
    async close() {
      entries.clear();
    },
  };
}

/** Whole milliseconds, at least one. Throws Failure('invalid_input') for what is no time. */
export function ttlMs(ttlSeconds: number): number {
  if (!Number.isFinite(ttlSeconds) || ttlSeconds <= 0) {
    throw new Failure('invalid_input', `A cache entry lives for some seconds, not ${ttlSeconds}`);
  }
  return Math.max(1, Math.round(ttlSeconds * 1_000));
}
