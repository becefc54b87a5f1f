/** One Postgres and one Temporal for a whole test run, with a migrated database to copy from. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startStack } from '../../src/local/stack.ts';
import { createSupervisor } from '../../src/local/supervise.ts';
import { loadConfig } from '../../src/schema/config.ts';
import { migrate } from '../../src/stores/migrate.ts';

export interface SharedServers {
  /** Of a user who may create databases. */
  adminUrl: string;
  templateDatabase: string;
  temporalAddress: string;
}

const TEMPLATE = 'ostinato_template';

/** Embedded servers on free ports in a temporary folder; the engine keeps its state in memory. */
export async function startSharedServers(
  report: (line: string) => void = () => {},
): Promise<SharedServers & { stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'ostinato-run-'));
  const supervisor = createSupervisor({ logDir: join(folder, 'logs'), report });
  const stop = async () => {
    await supervisor.stopAll(['temporal', 'postgres']);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    // The cache folder is the user's; everything else must not come from the user's settings.
    const { cacheDir } = loadConfig({ cwd: folder });
    const config = loadConfig({ cwd: folder, env: { DATA_DIR: folder, CACHE_DIR: cacheDir, RETENTION_DAYS: '7' } });
    const stack = await startStack(config, {
      supervisor,
      report,
      temporalInMemory: true,
      postgresSettings: { fsync: 'off', full_page_writes: 'off', max_connections: '300' },
    });
    const template = new URL(stack.databaseUrl);
    template.pathname = `/${TEMPLATE}`;
    await execute(stack.databaseUrl, `create database ${TEMPLATE}`);
    await migrate(template.href);
    return {
      adminUrl: stack.databaseUrl,
      templateDatabase: TEMPLATE,
      temporalAddress: stack.temporalAddress,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
