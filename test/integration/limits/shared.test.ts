/** Rate limits over several processes against the real stores: Postgres and Redis. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../../src/logging.ts';
import { openDatabase } from '../../../src/stores/database.ts';
import { type LimitStore, openLimitStore } from '../../../src/stores/limits.ts';
import { openRateLimits, type RateLimits } from '../../../src/stores/rate-limits.ts';
import { hasServer, startRedis } from '../../support/servers/index.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack();
});
afterAll(() => stack.close());

const log = createLog('silent', 'test');
const NONE = { read: 0, write: 0, search: 0, agent: 0 };

/** As two processes would open it: with connections of their own. */
function contract(name: string, open: () => Promise<{ store: LimitStore; close(): Promise<void> }>): void {
  describe(name, () => {
    it('holds one limit over two processes that are called at once', async () => {
      const opened = [await open(), await open()];
      const limiters = opened.map(({ store }) => openRateLimits({ store, limits: { ...NONE, write: 200 }, log }));
      const calls = limiters.flatMap((limiter) => Array.from({ length: 300 }, () => limiter.take('ada', 'write')));
      const states = await Promise.all(calls);
      expect(states.filter((state) => !state?.refused)).toHaveLength(200);
      for (const state of states) expect(state?.resetSeconds).toBeGreaterThan(50);
      const [seen] = await (limiters[0] as RateLimits).look('ada');
      expect(seen).toMatchObject({ class: 'write', limit: 200, remaining: 0 });
      for (const { close } of opened) await close();
    });

    it('keeps callers with strange and long names apart', async () => {
      const { store, close } = await open();
      const limiter = openRateLimits({ store, limits: { ...NONE, read: 1 }, log });
      const names = ["o'hara;--", 'ö'.repeat(200), `${'x'.repeat(199)}a`, `${'x'.repeat(199)}b`, 'read:ada', '*'];
      for (const name of names) {
        expect((await limiter.take(name, 'read'))?.refused).toBe(false);
        expect((await limiter.take(name, 'read'))?.refused).toBe(true);
      }
      await close();
    });
  });
}

contract('Postgres', async () => {
  const database = openDatabase(stack.databaseUrl, { max: 3 });
  return { store: openLimitStore({ REDIS_URL: undefined }, database.pool), close: () => database.close() };
});

describe('Postgres that is not there', () => {
  it('refuses nobody within the limit, and answers within a second', async () => {
    const database = openDatabase('postgres://nobody:nothing@127.0.0.1:9/none', { max: 1 });
    const store = openLimitStore({ REDIS_URL: undefined }, database.pool);
    const limiter = openRateLimits({ store, limits: { ...NONE, read: 5 }, log });
    const states = await Promise.all(Array.from({ length: 8 }, () => limiter.take('ada', 'read')));
    expect(states.filter((state) => !state?.refused)).toHaveLength(5);
    await database.close();
  });
});

describe.skipIf(!(await hasServer('redis')))('with a real Redis', () => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  contract('Redis', async () => {
    const store = openLimitStore({ REDIS_URL: server.url }, undefined as never);
    // Connects in the background; until then it counts as away.
    await expect.poll(() => store.read('x').then(String, String)).toBe('null');
    return { store, close: () => store.close() };
  });

  it('refuses nobody within the limit when it dies', async () => {
    const mortal = await startRedis();
    const store = openLimitStore({ REDIS_URL: mortal.url }, undefined as never);
    await expect.poll(() => store.read('x').then(String, String)).toBe('null');
    const limiter = openRateLimits({ store, limits: { ...NONE, read: 40 }, log });
    expect(await limiter.take('ada', 'read')).toMatchObject({ remaining: 39 });
    await mortal.stop();
    const states = await Promise.all(Array.from({ length: 60 }, () => limiter.take('ada', 'read')));
    expect(states.filter((state) => !state?.refused)).toHaveLength(39);
    await store.close();
  });
});
