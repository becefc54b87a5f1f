/** `npm test [unit|integration|performance] [vitest arguments]`: gets what the tests need, runs them, leaves nothing. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { aptInstall } from '../src/local/components/obtain.ts';
import { resolveComponent } from '../src/local/components/resolve.ts';
import { stopRequested } from '../src/local/stop.ts';
import { tied } from '../src/local/tied-process.ts';
import { loadConfig } from '../src/schema/config.ts';
import { hasServer, SERVERS, type ServerName, systemPostgres } from './support/servers/available.ts';
import { startSharedServers } from './support/shared.ts';
import { handOver } from './support/stack.ts';

const CI = process.env.CI === 'true';
/** Folders of the groups; what is in none of them is a unit test. */
const GROUPS = {
  integration: ['test/integration/', 'test/e2e/', 'test/replay/'],
  performance: ['test/performance/'],
};
type Group = 'unit' | keyof typeof GROUPS;

process.exit(await main(process.argv.slice(2)));

async function main(args: string[]): Promise<number> {
  const stop = stopRequested();
  const group = isGroup(args[0]) ? args[0] : undefined;
  const rest = group === undefined ? args : args.slice(1);
  try {
    if (group !== 'unit') await provideServers();
    if (stop.was()) return 130;
    const servers = group === 'unit' ? undefined : await startSharedServers(say);
    try {
      return stop.was()
        ? 130
        : await vitest(group, rest, servers === undefined ? {} : handOver(servers), stop.signalled);
    } finally {
      await servers?.stop();
    }
  } catch (error) {
    console.error(`ostinato: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

function isGroup(word: string | undefined): word is Group {
  return word === 'unit' || (word !== undefined && Object.hasOwn(GROUPS, word));
}

function say(line: string): void {
  console.log(`ostinato: ${line}`);
}

/**
 * Under CI every real server is fetched or built and a missing one fails the run; elsewhere those that are there are
 * used and the others are named. Temporal itself is always needed and comes with the shared servers.
 */
async function provideServers(): Promise<void> {
  if (CI) await obtainServers();
  for (const name of [...Object.keys(SERVERS), 'postgres'] as ServerName[]) {
    if (name !== 'temporal') await hasServer(name);
  }
}

async function obtainServers(): Promise<void> {
  const config = loadConfig({ cwd: '/' });
  const options = {
    cacheDir: config.cacheDir,
    timeoutSeconds: config.OSTINATO_COMPONENT_TIMEOUT,
    report: say,
    environment: process.env,
  };
  for (const component of Object.values(SERVERS).flat()) {
    const { path, origin } = await resolveComponent(component, options);
    say(`${component.name}: ${path} (${origin})`);
  }
  if (systemPostgres() !== undefined) return;
  const check = { args: [], accepts: () => true };
  const outcome = await aptInstall(
    { name: 'postgres', version: '15', onPath: [], check, apt: 'postgresql', advice: '' },
    options,
  );
  if (outcome !== undefined && 'failure' in outcome) throw new Error(outcome.failure);
}

/** Runs vitest, which prints its counts last, and resolves with its exit code. */
function vitest(
  group: Group | undefined,
  args: string[],
  env: Record<string, string>,
  stopped: Promise<void>,
): Promise<number> {
  const folder = dirname(createRequire(import.meta.url).resolve('vitest/package.json'));
  const all = Object.values(GROUPS).flat();
  const named = args.some((arg) => !arg.startsWith('-'));
  const excluded = group === 'unit' ? all.flatMap((path) => ['--exclude', `${path}**`]) : [];
  // Named files are run instead of the whole group.
  const folders = named || group === undefined || group === 'unit' ? [] : GROUPS[group];
  const selection = [...excluded, ...folders];
  const {
    command,
    args: whole,
    needsPipe,
  } = tied(process.execPath, [join(folder, 'vitest.mjs'), 'run', '--maxWorkers=2', ...selection, ...args], 'SIGTERM');
  const plain: Record<string, string> = process.stdout.isTTY ? {} : { NO_COLOR: '1' };
  return new Promise((resolve, reject) => {
    const child = spawn(command, whole, {
      stdio: [needsPipe ? 'pipe' : 'ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...plain, ...env },
    });
    void stopped.then(() => child.kill('SIGTERM'));
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 130));
  });
}
