/** The Redis cache against a real server: the common contract, and losing it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCache } from '../../../src/stores/cache/index.ts';
import { redisCache } from '../../../src/stores/cache/redis.ts';
import { cacheContract } from '../../stores/cache/contract.ts';
import { hasServer, startRedis } from '../../support/servers/index.ts';

describe.skipIf(!(await hasServer('redis')))('with a real server', () => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  cacheContract('redis', async () => openCache({ REDIS_URL: server.url }));

  test('two processes share their entries', async () => {
    const [one, two] = [redisCache({ url: server.url }), redisCache({ url: server.url })];
    await Promise.all([one.ping(), two.ping()]);
    await one.set('shared', 'x', 60);
    expect(await two.get('shared')).toBe('x');
    await one.close();
    await two.close();
  });

  test('a lost Redis is an absent entry, and only ping tells', async () => {
    const mortal = await startRedis();
    const cache = redisCache({ url: mortal.url });
    await cache.ping();
    await cache.set('a', 'x', 60);
    expect(await cache.get('a')).toBe('x');
    await mortal.stop();
    for (let round = 0; round < 3; round += 1) {
      await cache.set('a', 'y', 60);
      expect(await cache.get('a')).toBeNull();
      await cache.delete('a');
    }
    await expect(cache.ping()).rejects.toMatchObject({ code: 'unavailable' });
    await cache.close();
  });

  test('a Redis that never was there is no error either, and the message holds no password', async () => {
    const cache = redisCache({ url: 'redis://user:hidden-password@127.0.0.1:9' });
    expect(await cache.get('a')).toBeNull();
    await cache.set('a', 'x', 60);
    await expect(cache.ping()).rejects.toThrow('127.0.0.1:9');
    await expect(cache.ping()).rejects.not.toThrow(/hidden-password/);
    await cache.close();
  });
});
