/** What the API's integration tests stand on: a database and a Temporal namespace of their own, and dependencies around them. */
import { randomBytes, randomUUID } from 'node:crypto';
import { connectTemporal } from '../../../src/clients/temporal.ts';
import type { Deps } from '../../../src/deps.ts';
import { createLog } from '../../../src/logging.ts';
import { createMetrics } from '../../../src/metrics.ts';
import type { Role } from '../../../src/schema/names.ts';
import type { Grant } from '../../../src/schema/principal.ts';
import { hashSecret, newApiKey } from '../../../src/services/access/secrets.ts';
import { createEventHub } from '../../../src/services/event-hub.ts';
import { openDatabase } from '../../../src/stores/database.ts';
import { insertKey } from '../../../src/stores/keys.ts';
import { configuredLimits, openLimitStore } from '../../../src/stores/limits.ts';
import { openRateLimits } from '../../../src/stores/rate-limits.ts';
import { testStack } from '../../support/stack.ts';

export const JWT_SECRET = 'a secret of the tests, forty characters';

export interface Stand {
  deps: Deps;
  databaseUrl: string;
  close(): Promise<void>;
}

/** Objects, cache and vectors are absent: a test that needs one gives its own. */
export async function openStand(overrides: Partial<Deps> = {}, env: Record<string, string> = {}): Promise<Stand> {
  const stack = await testStack();
  const config = stack.config({ JWT_SECRET, LOG_LEVEL: 'silent', ...env });
  const database = openDatabase(stack.databaseUrl, { max: 8 });
  const temporal = await connectTemporal(config);
  const absent = {
    ping: async () => {},
    close: async () => {},
  };
  const deps = {
    ...database,
    config,
    log: createLog('silent', 'test'),
    metrics: createMetrics(),
    objects: { kind: 'folder', bucket: 'test', ...absent },
    cache: { kind: 'memory', ...absent },
    limits: openRateLimits({
      store: openLimitStore(config, database.pool),
      limits: configuredLimits(config),
      log: createLog('silent', 'test'),
    }),
    vectors: null,
    embedder: null,
    semanticOff: 'off in this test',
    temporal: temporal.client,
    ...overrides,
  } as unknown as Deps;
  return {
    deps,
    databaseUrl: stack.databaseUrl,
    close: async () => {
      await temporal.close();
      await database.close();
      await stack.close();
    },
  };
}

/** A live key of this role, or one that ended. */
export async function makeKey(
  deps: Deps,
  role: Role,
  options: { expires_at?: Date; revoked?: boolean; principal_id?: string; grants?: Grant[] } = {},
): Promise<{ key: string; key_id: string; principal_id: string }> {
  const { key, prefix } = newApiKey();
  const key_id = randomUUID();
  const principal_id = options.principal_id ?? `${role}-${randomBytes(4).toString('hex')}`;
  await insertKey(deps.db, {
    key_id,
    principal_id,
    name: `${role} of a test`,
    role,
    grants: options.grants ?? [],
    prefix,
    hash: hashSecret(key),
    created_by: 'test',
    expires_at: options.expires_at ?? null,
  });
  if (options.revoked) {
    await deps.db.updateTable('api_keys').set({ revoked_at: new Date() }).where('key_id', '=', key_id).execute();
  }
  return { key, key_id, principal_id };
}

/** What `createApi` wants besides operations, for tests that are not about events. */
export function door(deps: Deps) {
  return { deps, hub: createEventHub(deps), draining: new AbortController().signal, version: '0.0.0' };
}
