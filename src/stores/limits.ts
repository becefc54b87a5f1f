/** Counts of requests that all processes share, by caller and window: in Redis, or in an unlogged table of Postgres. */
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import type pg from 'pg';
import { RateLimiterPostgres, RateLimiterRedis } from 'rate-limiter-flexible';
import type { Config } from '../schema/config.ts';
import { RATE_WINDOW_SECONDS, type RateClass } from '../schema/limits.ts';
import { readAuthorities } from '../schema/tls.ts';
import { redisTls } from './cache/redis.ts';
import type { Db } from './database.ts';

/** How much of a window is counted, and when it ends. */
export interface Counted {
  points: number;
  /** Milliseconds since the epoch. */
  until: number;
}

export interface LimitStore {
  readonly kind: 'postgres' | 'redis';
  /** Adds `points` to the key's window, which begins with this call when there is none. Resolves with the new count. */
  add(key: string, points: number): Promise<Counted>;
  /** Null when no window is open. */
  read(key: string): Promise<Counted | null>;
  close(): Promise<void>;
}

/** Redis when REDIS_URL is set, else Postgres. Waits for nothing. */
export function openLimitStore(config: Pick<Config, 'REDIS_URL' | 'TLS_CA'>, pool: pg.Pool): LimitStore {
  return config.REDIS_URL ? redisLimits({ url: config.REDIS_URL, ca: readAuthorities(config) }) : postgresLimits(pool);
}

/** Requests a minute by class; 0: no limit. */
export function configuredLimits(
  config: Pick<Config, 'RATE_LIMIT_READ' | 'RATE_LIMIT_WRITE' | 'RATE_LIMIT_SEARCH' | 'RATE_LIMIT_AGENT'>,
): Record<RateClass, number> {
  const { RATE_LIMIT_READ: read, RATE_LIMIT_WRITE: write, RATE_LIMIT_SEARCH: search, RATE_LIMIT_AGENT: agent } = config;
  return { read, write, search, agent };
}

const OPTIONS = {
  // Who may have how many is decided by the caller of `add`; the library only counts.
  points: Number.MAX_SAFE_INTEGER,
  duration: RATE_WINDOW_SECONDS,
};

type Limiter = RateLimiterPostgres | RateLimiterRedis;

/** Two prepared statements on the pool; the table is a migration's. Expired rows are removed by the sweep. */
export function postgresLimits(pool: pg.Pool): LimitStore {
  const limiter = new RateLimiterPostgres({
    ...OPTIONS,
    storeClient: pool,
    storeType: 'pool',
    tableName: 'rate_limits',
    tableCreated: true,
    clearExpiredByTimeout: false,
    keyPrefix: '',
  });
  return counting('postgres', limiter, async () => {});
}

/** A connection of its own, made in the background; without it calls fail at once. */
export function redisLimits(options: { url: string; ca?: string[] | undefined }): LimitStore {
  const redis = new Redis(options.url, {
    keyPrefix: 'ostinato:limit:',
    ...redisTls(options),
    connectTimeout: 2_000,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: (times) => Math.min(100 * times, 5_000),
  });
  // Keeps a lost connection from ending the process; whoever counts hears of it from the failed call.
  redis.on('error', () => {});
  const limiter = new RateLimiterRedis({ ...OPTIONS, storeClient: redis, keyPrefix: '' });
  return counting('redis', limiter, async () => redis.disconnect());
}

function counting(kind: LimitStore['kind'], limiter: Limiter, close: () => Promise<void>): LimitStore {
  const counted = (found: { consumedPoints: number; msBeforeNext: number }) => ({
    points: found.consumedPoints,
    until: Date.now() + found.msBeforeNext,
  });
  return {
    kind,
    // `consume` would refuse above a limit and hide how much of the points was still to be had; this one only adds.
    add: async (key, points) => counted(await limiter.penalty(key, points)),
    async read(key) {
      const found = await limiter.get(key);
      return found && found.msBeforeNext > 0 ? counted(found) : null;
    },
    close,
  };
}

/** Forgets windows that ended before `before`; only Postgres keeps those. Resolves with how many left. */
export async function pruneLimits(db: Db, before: Date): Promise<number> {
  const result = await db
    .deleteFrom('rate_limits')
    .where('expire', '<', sql<string>`${before.getTime()}::bigint`)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
