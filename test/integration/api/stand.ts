/** What the API's integration tests stand on: a real Postgres of their own, migrated, and dependencies around it. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Deps } from '../../../src/deps.ts';
import { startPostgres } from '../../../src/local/postgres.ts';
import { createSupervisor } from '../../../src/local/supervise.ts';
import { createLog } from '../../../src/logging.ts';
import { createMetrics } from '../../../src/metrics.ts';
import { loadConfig } from '../../../src/schema/config.ts';
import type { Role } from '../../../src/schema/names.ts';
import type { Grant } from '../../../src/schema/principal.ts';
import { hashSecret, newApiKey } from '../../../src/services/access/secrets.ts';
import { createEventHub } from '../../../src/services/event-hub.ts';
import { openDatabase } from '../../../src/stores/database.ts';
import { insertKey } from '../../../src/stores/keys.ts';
import { migrate } from '../../../src/stores/migrate.ts';

export const JWT_SECRET = 'a secret of the tests, forty characters';

export interface Stand {
  deps: Deps;
  databaseUrl: string;
  close(): Promise<void>;
}

/** Temporal, objects and vectors are absent: a test that needs one gives its own. */
export async function openStand(overrides: Partial<Deps> = {}, env: Record<string, string> = {}): Promise<Stand> {
  const folder = mkdtempSync(join(tmpdir(), 'ostinato-api-'));
  const supervisor = createSupervisor({ logDir: folder, report: () => {} });
  const postgres = await startPostgres({
    dataDir: folder,
    cacheDir: join(homedir(), '.cache', 'ostinato'),
    port: 0,
    supervisor,
    report: () => {},
    settings: { fsync: 'off' },
  });
  await migrate(postgres.databaseUrl);
  const config = loadConfig({
    env: { JWT_SECRET, DATABASE_URL: postgres.databaseUrl, LOG_LEVEL: 'silent', ...env },
    cwd: folder,
  });
  const database = openDatabase(postgres.databaseUrl, { max: 8 });
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
    vectors: null,
    embedder: null,
    semanticOff: 'off in this test',
    temporal: {} as Client,
    ...overrides,
  } as unknown as Deps;
  return {
    deps,
    databaseUrl: postgres.databaseUrl,
    close: async () => {
      await database.close();
      await supervisor.stopAll([]);
      rmSync(folder, { recursive: true, force: true });
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
