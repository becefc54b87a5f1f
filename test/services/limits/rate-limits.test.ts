/** Rate limits: exact over processes, cheap on the warm path, lenient while the shared store is away. */
import { describe, expect, it, vi } from 'vitest';
import type { RateClass } from '../../../src/schema/limits.ts';
import { openRateLimits, type RateLimits } from '../../../src/stores/rate-limits.ts';
import { type SharedStore, sharedStore } from './shared-store.ts';

function stage(limits: Partial<Record<RateClass, number>>, processes = 1) {
  let at = 1_000_000;
  const now = () => at;
  const store = sharedStore(now);
  const log = { info: vi.fn(), warn: vi.fn() };
  const all = { read: 0, write: 0, search: 0, agent: 0, ...limits };
  const limiters = Array.from({ length: processes }, () => openRateLimits({ store, limits: all, log, now }));
  return {
    store: store as SharedStore,
    log,
    limiters: limiters as [RateLimits, ...RateLimits[]],
    pass(ms: number) {
      at += ms;
    },
  };
}

/** How many of `calls` were let through. */
async function granted(
  limiter: RateLimits,
  calls: number,
  caller = 'ada',
  kind: RateClass = 'read',
  leave = 0,
): Promise<number> {
  let count = 0;
  for (let call = 0; call < calls; call += 1) {
    const state = await limiter.take(caller, kind, leave);
    if (!state?.refused) count += 1;
  }
  return count;
}

describe('one process', () => {
  it.each([1, 2, 7, 100, 6_000])('grants exactly a limit of %i in a window, and again in the next', async (limit) => {
    const { limiters, pass } = stage({ read: limit });
    expect(await granted(limiters[0], limit + 50)).toBe(limit);
    pass(59_000);
    expect(await granted(limiters[0], 3)).toBe(0);
    pass(1_500);
    expect(await granted(limiters[0], limit + 50)).toBe(limit);
  });

  it('asks the store twenty times for a window, not once a call', async () => {
    const { limiters, store } = stage({ read: 2_000 });
    await granted(limiters[0], 2_000);
    expect(store.adds).toBe(20);
    await granted(limiters[0], 500);
    expect(store.adds).toBe(20);
  });

  it('asks for the next handful before the last point of this one is spent', async () => {
    const { limiters, store } = stage({ read: 2_000 });
    await granted(limiters[0], 70);
    expect(store.adds).toBe(1);
    await granted(limiters[0], 10);
    expect(store.adds).toBe(2);
  });

  it('begins anew when the store has forgotten the window', async () => {
    const { limiters, store, pass } = stage({ read: 20 });
    await granted(limiters[0], 5);
    pass(30_000);
    store.forget();
    expect(await limiters[0].take('ada', 'read')).toMatchObject({ remaining: 19, resetSeconds: 60 });
  });

  it('counts callers and classes apart, and 0 is no limit', async () => {
    const { limiters, store } = stage({ read: 5, write: 3 });
    expect(await granted(limiters[0], 9)).toBe(5);
    expect(await granted(limiters[0], 9, 'ada', 'write')).toBe(3);
    expect(await granted(limiters[0], 9, 'bob')).toBe(5);
    const before = store.adds;
    expect(limiters[0].take('ada', 'search')).toBeNull();
    expect(store.adds).toBe(before);
  });

  it('says how much is left and when the window ends', async () => {
    const { limiters, pass } = stage({ read: 40 });
    expect(await limiters[0].take('ada', 'read')).toMatchObject({ limit: 40, remaining: 39, resetSeconds: 60 });
    pass(20_500);
    expect(await limiters[0].take('ada', 'read')).toMatchObject({ remaining: 38, resetSeconds: 40, refused: false });
    await granted(limiters[0], 38);
    expect(await limiters[0].take('ada', 'read')).toMatchObject({ remaining: 0, resetSeconds: 40, refused: true });
  });

  it('lets exactly the limit through when all come at once', async () => {
    const { limiters } = stage({ read: 30 });
    const states = await Promise.all(Array.from({ length: 100 }, () => limiters[0].take('ada', 'read')));
    expect(states.filter((state) => !state?.refused)).toHaveLength(30);
  });
});

describe('several processes', () => {
  it.each([1, 10, 100, 1_000])('never grant more than %i together, and nearly all of it', async (limit) => {
    const { limiters } = stage({ read: limit }, 4);
    let sum = 0;
    for (let round = 0; round < limit; round += 1) {
      for (const limiter of limiters) sum += await granted(limiter, 1);
    }
    expect(sum).toBe(limit);
  });

  it('leave the rest to those who need it when one process takes a handful and goes away', async () => {
    const { limiters } = stage({ read: 100 }, 2);
    await granted(limiters[0], 1);
    expect(await granted(limiters[1] as RateLimits, 200)).toBe(95);
  });

  it('tell a caller where it stands over all of them', async () => {
    const { limiters } = stage({ read: 100, write: 10 }, 2);
    await granted(limiters[0], 7);
    await granted(limiters[1] as RateLimits, 12);
    const [read, write] = await (limiters[1] as RateLimits).look('ada');
    // Of the first one's handfuls three points are unspent and count as used.
    expect(read).toMatchObject({ class: 'read', limit: 100, remaining: 100 - 10 - 12 });
    expect(write).toMatchObject({ class: 'write', remaining: 10, resetSeconds: 0 });
  });
});

describe('calls that leave a part of the limit', () => {
  const sparing = (limiter: RateLimits, calls: number) => granted(limiter, calls, 'ada', 'read', 0.2);

  it.each([5, 10, 100, 600, 6_000])('leave it of %i, here and to another process', async (limit) => {
    for (const own of [0, 1]) {
      const { limiters, pass } = stage({ read: limit }, 2);
      const owns = limiters[own] as RateLimits;
      expect(await sparing(limiters[0], limit)).toBe(limit * 0.8);
      expect(await limiters[0].take('ada', 'read', 0.2)).toMatchObject({ refused: true, resetSeconds: 60 });
      expect(await granted(owns, limit)).toBe(limit * 0.2);
      expect(await sparing(limiters[0], 5)).toBe(0);
      pass(61_000);
      expect(await sparing(limiters[0], limit)).toBe(limit * 0.8);
    }
  });

  it('leave it when all come at once, through several processes', async () => {
    const { limiters } = stage({ read: 100 }, 3);
    const states = await Promise.all(
      Array.from({ length: 300 }, (_, n) => (limiters[n % 2] as RateLimits).take('ada', 'read', 0.2)),
    );
    // Two that read at the same moment can both take a handful.
    expect(states.filter((state) => !state?.refused).length).toBeGreaterThanOrEqual(75);
    expect(await granted(limiters[2] as RateLimits, 100)).toBeGreaterThanOrEqual(15);
  });

  it('take only what is above it once the own calls have spent the most', async () => {
    const { limiters } = stage({ read: 100 }, 2);
    expect(await granted(limiters[1] as RateLimits, 70)).toBe(70);
    expect(await sparing(limiters[0], 50)).toBe(10);
    expect(await granted(limiters[1] as RateLimits, 50)).toBe(20);
  });

  it('do not ask for ever when they are refused, and leave it while the store is away', async () => {
    const { limiters, store } = stage({ read: 100 });
    await sparing(limiters[0], 90);
    const { adds } = store;
    expect(await sparing(limiters[0], 50)).toBe(0);
    expect(store.adds).toBe(adds);
    const away = stage({ read: 100 });
    away.store.isAway = true;
    expect(await sparing(away.limiters[0], 100)).toBe(80);
    expect(await granted(away.limiters[0], 100)).toBe(20);
  });
});

describe('while the store is away', () => {
  it('each process grants the whole limit, warns once and does not ask for every call', async () => {
    const { limiters, store, log, pass } = stage({ read: 50 }, 2);
    store.isAway = true;
    expect(await granted(limiters[0], 80)).toBe(50);
    expect(await granted(limiters[1] as RateLimits, 80)).toBe(50);
    expect(log.warn).toHaveBeenCalledTimes(2);
    expect(store.adds).toBe(2);
    // Nor for every caller: one finds out, the others wait for nothing.
    for (const caller of ['bob', 'cyd', 'dan']) expect(await granted(limiters[0], 60, caller)).toBe(50);
    expect(store.adds).toBe(2);
    pass(6_000);
    await granted(limiters[0], 1, 'eve');
    expect(store.adds).toBe(3);
  });

  it('goes on from what is already spent, and shares again once the store is back', async () => {
    const { limiters, store, log, pass } = stage({ read: 100 }, 2);
    expect(await granted(limiters[0], 30)).toBe(30);
    store.isAway = true;
    expect(await granted(limiters[0], 100)).toBe(70);
    store.isAway = false;
    pass(61_000);
    expect(await granted(limiters[0], 60)).toBe(60);
    expect(await granted(limiters[1] as RateLimits, 60)).toBe(40);
    expect(log.info).toHaveBeenCalledTimes(1);
  });
});
