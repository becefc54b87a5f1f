/** What an integration test runs against: a database and a Temporal namespace of its own on shared servers. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import pg from 'pg';
import { type Config, loadConfig } from '../../src/schema/config.ts';
import { SEARCH_ATTRIBUTES } from '../../src/schema/names.ts';
import { type SharedServers, startSharedServers } from './shared.ts';

export interface TestStack {
  /** An empty database with the newest schema. */
  databaseUrl: string;
  temporalAddress: string;
  /** A namespace with our search attributes; nobody else's workflows or workers are in it, so queues keep their names. */
  temporalNamespace: string;
  /** A folder that goes with the stack. */
  dataDir: string;
  /** Settings for all of the above, with `overrides` by variable. Embeddings are the deterministic ones. */
  config(overrides?: Record<string, string>): Config;
  /** Takes away what was made; connections to the database are cut. */
  close(): Promise<void>;
}

/** What no test should meet by working quickly. */
export const UNLIMITED = {
  RATE_LIMIT_READ: '0',
  RATE_LIMIT_WRITE: '0',
  RATE_LIMIT_SEARCH: '0',
  RATE_LIMIT_AGENT: '0',
};

/** Variable in which `npm test` hands over the servers that it started. */
const SHARED = 'OSTINATO_TEST_SERVERS';

/**
 * Makes a stack on the servers that `npm test` shares among its files; when vitest was started by itself, on servers
 * that live as long as this stack. Call it in `beforeAll` and `close()` in `afterAll`.
 */
export async function testStack(): Promise<TestStack> {
  const handed = process.env[SHARED];
  const own = handed === undefined ? await startSharedServers() : undefined;
  const servers: SharedServers = own ?? (JSON.parse(handed as string) as SharedServers);
  const name = `t_${randomBytes(6).toString('hex')}`;
  const dataDir = mkdtempSync(join(tmpdir(), 'ostinato-test-'));
  try {
    await asAdmin(servers, (client) => client.query(`create database ${name} template ${servers.templateDatabase}`));
    await makeNamespace(servers.temporalAddress, name);
  } catch (error) {
    await own?.stop();
    throw error;
  }
  const databaseUrl = withDatabase(servers.adminUrl, name);
  return {
    databaseUrl,
    temporalAddress: servers.temporalAddress,
    temporalNamespace: name,
    dataDir,
    config: (overrides = {}) =>
      loadConfig({
        cwd: dataDir,
        env: {
          DATA_DIR: join(dataDir, 'data'),
          DATABASE_URL: databaseUrl,
          DATABASE_POOL: '5',
          TEMPORAL_ADDRESS: servers.temporalAddress,
          TEMPORAL_NAMESPACE: name,
          EMBEDDINGS: 'hash',
          EMBEDDING_DIMENSIONS: '128',
          JWT_SECRET: 'a-secret-that-only-tests-ever-use-0123456789',
          MASTER_KEY: '11'.repeat(32),
          PAYLOAD_KEY: '22'.repeat(32),
          LOG_LEVEL: 'warn',
          // Tests that are about limits set their own.
          ...UNLIMITED,
          ...overrides,
        },
      }),
    async close() {
      await asAdmin(servers, (client) => client.query(`drop database if exists ${name} with (force)`));
      rmSync(dataDir, { recursive: true, force: true });
      await own?.stop();
    },
  };
}

/** The same address with another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

async function asAdmin(servers: SharedServers, act: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: servers.adminUrl });
  await client.connect();
  try {
    await act(client);
  } finally {
    await client.end();
  }
}

const KEYWORD = 2;

async function makeNamespace(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address });
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: (7 * 86_400) as never },
    });
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map((name) => [name, KEYWORD])),
    });
  } finally {
    await connection.close();
  }
}

/** The environment that hands `servers` to the tests. */
export function handOver(servers: SharedServers): Record<string, string> {
  const { adminUrl, templateDatabase, temporalAddress } = servers;
  return { [SHARED]: JSON.stringify({ adminUrl, templateDatabase, temporalAddress }) };
}
