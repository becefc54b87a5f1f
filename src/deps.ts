/** Builds what every process is made of: stores and clients, from the configuration alone. */
import type { Client, ClientInterceptors } from '@temporalio/client';
import type { Logger } from 'pino';
import { createEgress, type Egress } from './clients/egress.ts';
import { connectTemporal } from './clients/temporal.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { Config } from './schema/config.ts';
import { openCache } from './stores/cache/index.ts';
import type { Cache, Embedder, ObjectStore, VectorIndex } from './stores/contract.ts';
import { type Database, openDatabase } from './stores/database.ts';
import { openEmbedder } from './stores/embeddings/index.ts';
import { configuredLimits, openLimitStore } from './stores/limits.ts';
import { openObjects } from './stores/objects/index.ts';
import { openRateLimits, type RateLimits } from './stores/rate-limits.ts';
import { openVectors } from './stores/vectors/index.ts';

export interface Deps extends Database {
  config: Config;
  log: Logger;
  metrics: Metrics;
  objects: ObjectStore;
  /** Null where embeddings are off; `semanticOff` says why. */
  vectors: VectorIndex | null;
  embedder: Embedder | null;
  semanticOff: string | null;
  cache: Cache;
  limits: RateLimits;
  temporal: Client;
  egress: Egress;
}

export interface DepsOptions {
  log: Logger;
  applicationName: string;
  /** Whether this process is the one that writes vectors. */
  writesVectors: boolean;
  /** What goes around each call to Temporal: tracing. */
  clientInterceptors?: ClientInterceptors | undefined;
}

/** Opens everything; `close` releases it in reverse order. `databaseUrl` and `temporalAddress` must be in force by now. */
export async function createDeps(config: Config, options: DepsOptions): Promise<Deps> {
  if (!config.DATABASE_URL)
    throw new Error('DATABASE_URL is not set: start with `npm start`, or point it at a Postgres');
  const database = openDatabase(config.DATABASE_URL, {
    max: config.DATABASE_POOL,
    applicationName: options.applicationName,
  });
  const objects = await openObjects(config);
  const cache = openCache(config);
  const limits = openRateLimits({
    store: openLimitStore(config, database.pool),
    limits: configuredLimits(config),
    log: options.log,
  });
  const opened = await openEmbedder(config, (message) => options.log.info(message));
  const embedder = 'embedder' in opened ? opened.embedder : null;
  const vectors = embedder
    ? await openVectors(config, { dimensions: embedder.dimensions, writable: options.writesVectors })
    : null;
  const temporal = await connectTemporal(config, options.clientInterceptors);
  const egress = createEgress({ allow: config.EGRESS_ALLOW, maxBytes: config.MAX_UPLOAD_BYTES, timeoutMs: 30_000 });
  return {
    ...database,
    config,
    log: options.log,
    metrics: createMetrics(),
    objects,
    vectors,
    embedder,
    semanticOff: 'off' in opened ? opened.off : null,
    cache,
    limits,
    temporal: temporal.client,
    egress,
    close: async () => {
      await temporal.close();
      await egress.close();
      await vectors?.close();
      await embedder?.close();
      await limits.close();
      await cache.close();
      await objects.close();
      await database.close();
    },
  };
}
