/** Chooses the cache that the settings name. */
import type { Config } from '../../schema/config.ts';
import { readAuthorities } from '../../schema/tls.ts';
import type { Cache } from '../contract.ts';
import { memoryCache } from './memory.ts';
import { redisCache } from './redis.ts';

const MEMORY_BYTES = 64 * 1024 * 1024;

/** Redis when REDIS_URL is set, else 64 MiB in the process. Waits for nothing. */
export function openCache(config: Pick<Config, 'REDIS_URL' | 'TLS_CA'>): Cache {
  return config.REDIS_URL
    ? redisCache({ url: config.REDIS_URL, ca: readAuthorities(config) })
    : memoryCache({ maxBytes: MEMORY_BYTES });
}
