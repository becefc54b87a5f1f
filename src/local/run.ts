/** The life of one start: lock, leftovers, keys, servers, migration, worker and API, and the orderly end. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startTimeOf } from '../../bin/lock.js';
import { type Config, ConfigError, loadConfig, warnOfFormer } from '../schema/config.ts';
import { checkTls } from '../schema/tls.ts';
import { ensureAdminKey } from '../services/admin-key.ts';
import { migrate } from '../stores/migrate.ts';
import { ensureKeys, writeSecret } from './keys.ts';
import { isFree } from './ports.ts';
import { ownProcess, SCRIPTS } from './processes.ts';
import { type Runtime, readRuntime, removeRuntime, takeFolder, writeRuntime } from './runtime.ts';
import { type Stack, startStack } from './stack.ts';
import { stopRequested } from './stop.ts';
import { createSupervisor, type Supervisor } from './supervise.ts';
import { UI_PATH } from './temporal.ts';
import { stopLeftovers } from './tied-process.ts';
import { watchSources } from './watch.ts';

export interface RunOptions {
  /** One line for people. */
  report?: (line: string) => void;
  scripts?: typeof SCRIPTS;
}

/**
 * Runs until SIGINT or SIGTERM and resolves with the exit code: 0 after an orderly end, 1 when it could not start,
 * 2 when a setting is wrong. Says each problem in as few lines as it takes.
 */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<number> {
  const report = options.report ?? ((line) => console.log(line));
  try {
    const config = loadConfig();
    checkTls(config);
    const former = warnOfFormer();
    if (former) report(`warning: ${former}`);
    return await start(config, {
      watch: args.includes('--watch'),
      names: args.includes('--servers-only') ? [] : ['worker', 'api'],
      report,
      scripts: options.scripts ?? SCRIPTS,
    });
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const problem of error.problems) console.error(`ostinato: ${problem}`);
      return 2;
    }
    console.error(`ostinato: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

interface Plan {
  /** Restarts the worker and the API when a source file changes, and echoes what every child says. */
  watch: boolean;
  /** Which of our own processes run; none with `--servers-only`, for those who run them in a debugger. */
  names: (keyof typeof SCRIPTS)[];
  scripts: typeof SCRIPTS;
  report: (line: string) => void;
}

async function start(settings: Config, plan: Plan): Promise<number> {
  const { report, watch } = plan;
  const began = Date.now();
  const stop = stopRequested();
  const folder = await takeFolder(settings.dataDir);
  try {
    await stopLeftovers(readRuntime(settings.dataDir)?.processes ?? [], { report });
    if (!(await isFree(settings.SERVER_PORT, settings.HOST))) {
      throw new Error(`port ${settings.SERVER_PORT} of ${settings.HOST} is taken: set another SERVER_PORT`);
    }
    const config = ensureKeys(settings, report);
    const life = createLife(config, watch, report);
    let code = 0;
    try {
      const up = bringUp(config, life, plan);
      await Promise.race([up, stop.signalled]);
      if (!stop.was()) {
        announce(config, await up, Date.now() - began, report);
        const unwatch = watch ? watchSources(() => reload(life.supervisor, report)) : () => {};
        await stop.signalled;
        unwatch();
      }
      report('stopping');
    } catch (error) {
      console.error(`ostinato: ${error instanceof Error ? error.message : String(error)}`);
      code = 1;
    }
    await life.end();
    if (code === 0) report('stopped');
    return code;
  } finally {
    folder.release();
  }
}

interface Life {
  supervisor: Supervisor;
  addresses: Runtime['addresses'];
  /** Writes runtime.json as things are now. */
  note(ready: boolean): void;
  /** Stops everything in order and removes runtime.json. */
  end(): Promise<void>;
}

/** Who is stopped first: callers, then those who work, then what they work with. */
const STOP_ORDER = ['api', 'worker', 'temporal', 'postgres'];

function createLife(config: Config, echo: boolean, report: (line: string) => void): Life {
  const startedAt = new Date().toISOString();
  const addresses: Runtime['addresses'] = {};
  let ready = false;
  let ended = false;
  const note = () => {
    if (ended) return;
    writeRuntime(config.dataDir, {
      pid: process.pid,
      startTime: startTimeOf(process.pid) ?? '',
      started_at: startedAt,
      ready,
      processes: supervisor
        .services()
        .flatMap(({ name, pid, startTime }) =>
          pid === undefined || startTime === undefined ? [] : [{ name, pid, startTime }],
        ),
      addresses,
    });
  };
  const supervisor = createSupervisor({
    logDir: join(config.dataDir, 'logs'),
    report,
    onChange: note,
    ...(echo ? { onLine: (name, line) => report(`[${name}] ${line}`) } : {}),
  });
  return {
    supervisor,
    addresses,
    note(isReady) {
      ready = isReady;
      note();
    },
    async end() {
      await supervisor.stopAll(STOP_ORDER);
      ended = true;
      removeRuntime(config.dataDir);
    },
  };
}

async function bringUp(config: Config, life: Life, { names, report, scripts }: Plan): Promise<Stack> {
  const stack = await startStack(config, { supervisor: life.supervisor, report });
  Object.assign(life.addresses, {
    temporal: stack.temporalAddress,
    ...(stack.temporal === undefined
      ? {}
      : { temporal_ui: stack.temporal.uiUrl, temporal_metrics: stack.temporal.metricsUrl }),
    ...(stack.postgres === undefined ? {} : { postgres: `127.0.0.1:${stack.postgres.port}` }),
  });
  life.note(false);
  await migrate(stack.databaseUrl);
  const admin = await ensureAdminKey(stack.databaseUrl, config);
  if (admin.key !== undefined) writeSecret(adminKeyFile(config), admin.key);
  const wanted = names.filter((name) => {
    if (existsSync(scripts[name])) return true;
    report(`there is no ${scripts[name]} yet; going on without`);
    return false;
  });
  await Promise.all(wanted.map((name) => life.supervisor.start(ownProcess(name, scripts[name], config, stack))));
  Object.assign(life.addresses, {
    api: config.publicUrl,
    mcp: `${config.publicUrl}/mcp`,
    docs: `${config.publicUrl}/docs`,
  });
  life.note(true);
  return stack;
}

function adminKeyFile(config: Config): string {
  return join(config.dataDir, 'admin-key');
}

function announce(config: Config, stack: Stack, tookMs: number, report: (line: string) => void): void {
  const key =
    config.API_KEY !== undefined
      ? 'the one that API_KEY holds'
      : existsSync(adminKeyFile(config))
        ? adminKeyFile(config)
        : 'shown at the first start and not kept here; set API_KEY to get in again';
  for (const line of [
    `ready in ${(tookMs / 1000).toFixed(1)} s`,
    `  API           ${config.publicUrl}`,
    `  MCP           ${config.publicUrl}/mcp`,
    `  docs          ${config.publicUrl}/docs`,
    `  Temporal UI   ${stack.temporal === undefined ? 'the one of that Temporal' : `${config.publicUrl}${UI_PATH}`}`,
    `  admin key     ${key}`,
    `  data          ${config.dataDir}`,
  ]) {
    report(line);
  }
}

async function reload(supervisor: Supervisor, report: (line: string) => void): Promise<void> {
  report('sources changed: restarting the worker and the API');
  const ours = supervisor.services().filter(({ name }) => name === 'api' || name === 'worker');
  const results = await Promise.allSettled(ours.map((service) => service.restart()));
  for (const result of results) {
    if (result.status === 'rejected') report((result.reason as Error).message);
  }
}
