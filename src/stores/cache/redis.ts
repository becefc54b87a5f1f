/** A cache in Redis. When Redis is away, every entry is simply absent; only `ping` tells. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Failure } from '../../schema/failures.ts';
import type { Cache } from '../contract.ts';
import { ttlMs } from './memory.ts';

/** A cache that answers later than this costs more than it saves. */
const COMMAND_MS = 500;
const PING_MS = 900;
const LONGEST_WAIT_MS = 5_000;

/** For `rediss:` addresses: whom to trust, where it is not the public authorities alone. */
export function redisTls(options: { url: string; ca?: string[] | undefined }) {
  return options.ca && options.url.startsWith('rediss:') ? { tls: { ca: options.ca } } : {};
}

/** Connects in the background and again whenever the connection is lost. Keys get the prefix `ostinato:`. */
export function redisCache(options: { url: string; ca?: string[] | undefined }): Cache {
  const redis = new Redis(options.url, {
    keyPrefix: 'ostinato:',
    ...redisTls(options),
    connectTimeout: 2_000,
    commandTimeout: COMMAND_MS,
    maxRetriesPerRequest: 0,
    // Without a connection a command fails at once instead of waiting for one.
    enableOfflineQueue: false,
    retryStrategy: (times) => Math.min(100 * times, LONGEST_WAIT_MS),
  });
  let lastError = 'no connection';
  // Also keeps a lost connection from ending the process as an unhandled error.
  redis.on('error', (error) => {
    lastError = error.message || error.name;
  });

  async function attempt<T>(step: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await step();
    } catch {
      return otherwise;
    }
  }

  return {
    kind: 'redis',

    async ping() {
      const until = Date.now() + PING_MS;
      while (redis.status !== 'ready' && Date.now() < until) await sleep(20);
      try {
        await redis.ping();
      } catch (error) {
        const { host } = new URL(options.url);
        throw new Failure('unavailable', `Redis at ${host} does not answer (${lastError})`, { cause: error });
      }
    },

    get: (key) => attempt(() => redis.get(key), null),

    async set(key, value, ttlSeconds) {
      const ttl = ttlMs(ttlSeconds);
      await attempt<unknown>(() => redis.set(key, value, 'PX', ttl), null);
    },

    async delete(key) {
      await attempt(() => redis.del(key), 0);
    },

    async close() {
      redis.disconnect();
    },
  };
}
