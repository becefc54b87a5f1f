/** The contract of Cache as tests, run over every implementation. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Cache } from '../../../src/stores/contract.ts';

export function cacheContract(name: string, open: () => Promise<Cache>): void {
  describe(`${name} keeps the cache contract`, () => {
    let cache: Cache;
    beforeAll(async () => {
      cache = await open();
      await cache.ping();
      return () => cache.close();
    });

    test('gives back what was set, replaces and deletes', async () => {
      expect(await cache.get('a')).toBeNull();
      for (const value of ['', 'plain', '{"json":[1,2]}', 'zwölf 🙂 \0 \n', 'x'.repeat(200_000)]) {
        await cache.set('a', value, 60);
        expect(await cache.get('a')).toBe(value);
      }
      await cache.set('b', 'other', 60);
      await cache.delete('a');
      await cache.delete('never');
      expect(await cache.get('a')).toBeNull();
      expect(await cache.get('b')).toBe('other');
    });

    test('forgets an entry when its time is over', async () => {
      await cache.set('short', 'x', 0.05);
      await cache.set('long', 'x', 60);
      await sleep(200);
      expect(await cache.get('short')).toBeNull();
      expect(await cache.get('long')).toBe('x');
    });

    test('refuses a lifetime that is none', async () => {
      for (const ttl of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        await expect(cache.set('a', 'x', ttl)).rejects.toMatchObject({ code: 'invalid_input' });
      }
    });
  });
}
