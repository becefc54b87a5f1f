/** A real Postgres of the system's packages, older than the embedded one. */
import { startPostgres } from '../../../src/local/postgres.ts';
import { systemPostgres, testCacheDir } from './available.ts';
import { openTestFolder, type RunningServer } from './process.ts';

export interface PostgresServer extends RunningServer {
  url: string;
  major: number;
}

/** `settings` are server settings, such as `max_connections`. Written for speed: it does not survive a power cut. */
export async function startSystemPostgres(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const system = systemPostgres();
  if (system === undefined) throw new Error('there is no Postgres below /usr/lib/postgresql');
  const { folder, supervisor, stop } = openTestFolder('postgres');
  try {
    const { databaseUrl, service } = await startPostgres({
      dataDir: folder,
      cacheDir: testCacheDir(),
      port: 0,
      supervisor,
      report: () => {},
      installation: system,
      settings: { fsync: 'off', ...settings },
    });
    return { url: databaseUrl, major: Number(system.major), service, folder, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
