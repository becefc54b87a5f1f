/** The servers that this machine runs itself: what the configuration names is used, the rest is embedded. */
import { mkdirSync } from 'node:fs';
import { type Config, inheritedEnvironment } from '../schema/config.ts';
import { TEMPORAL } from './components/catalogue.ts';
import { resolveComponent } from './components/resolve.ts';
import { type EmbeddedPostgres, startPostgres } from './postgres.ts';
import type { Supervisor } from './supervise.ts';
import { type EmbeddedTemporal, startTemporal, temporalFile } from './temporal.ts';

export interface Stack {
  databaseUrl: string;
  temporalAddress: string;
  /** Present where this machine runs them. */
  postgres?: EmbeddedPostgres;
  temporal?: EmbeddedTemporal;
}

export interface StackOptions {
  supervisor: Supervisor;
  report: (line: string) => void;
  /** More settings of the embedded Postgres. */
  postgresSettings?: Record<string, string>;
  /** Keeps the engine's state in memory. */
  temporalInMemory?: boolean;
}

/** Starts both at once and waits for both, so that a failure of one leaves nothing starting behind its back. */
export async function startStack(config: Config, options: StackOptions): Promise<Stack> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const [postgres, temporal] = await Promise.allSettled([
    embeddedPostgres(config, options),
    embeddedTemporal(config, options),
  ]);
  if (postgres.status === 'rejected') throw postgres.reason;
  if (temporal.status === 'rejected') throw temporal.reason;
  const databaseUrl = config.DATABASE_URL ?? postgres.value?.databaseUrl;
  const temporalAddress = config.TEMPORAL_ADDRESS ?? temporal.value?.address;
  if (databaseUrl === undefined || temporalAddress === undefined) throw new Error('a part of the stack has no address');
  return {
    databaseUrl,
    temporalAddress,
    ...(postgres.value === undefined ? {} : { postgres: postgres.value }),
    ...(temporal.value === undefined ? {} : { temporal: temporal.value }),
  };
}

async function embeddedPostgres(config: Config, options: StackOptions): Promise<EmbeddedPostgres | undefined> {
  if (config.DATABASE_URL !== undefined) {
    options.report('Postgres: the one that DATABASE_URL names');
    return undefined;
  }
  const postgres = await startPostgres({
    dataDir: config.dataDir,
    cacheDir: config.cacheDir,
    port: config.POSTGRES_PORT,
    supervisor: options.supervisor,
    report: options.report,
    ...(options.postgresSettings === undefined ? {} : { settings: options.postgresSettings }),
  });
  options.report(`Postgres: embedded, port ${postgres.port}`);
  return postgres;
}

async function embeddedTemporal(config: Config, options: StackOptions): Promise<EmbeddedTemporal | undefined> {
  if (config.TEMPORAL_ADDRESS !== undefined) {
    options.report(`Temporal: ${config.TEMPORAL_ADDRESS}`);
    return undefined;
  }
  const { path, origin } = await resolveComponent(TEMPORAL, {
    cacheDir: config.cacheDir,
    timeoutSeconds: config.OSTINATO_COMPONENT_TIMEOUT,
    report: options.report,
    environment: inheritedEnvironment(),
  });
  const temporal = await startTemporal({
    binary: path,
    ...(options.temporalInMemory === true ? {} : { databaseFile: temporalFile(config.dataDir) }),
    namespace: config.TEMPORAL_NAMESPACE,
    retentionDays: config.RETENTION_DAYS,
    port: config.TEMPORAL_PORT,
    uiPort: config.TEMPORAL_UI_PORT,
    synchronous: config.TEMPORAL_SYNCHRONOUS,
    publicUrl: config.publicUrl,
    supervisor: options.supervisor,
  });
  options.report(`Temporal: embedded (${origin}), ${temporal.address}`);
  return temporal;
}
