/** `npm run check`: types, lint and format, dead code. Runs all of them and says of each how it went. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** The linter colours its output even into a file. */
const PLAIN = process.stdout.isTTY ? [] : ['--colors=off'];
const CHECKS = [
  { name: 'types', bin: 'tsc', args: ['--project', '.'] },
  { name: 'lint and format', bin: 'biome', args: ['ci', '--diagnostic-level=warn', ...PLAIN, '.'] },
  { name: 'dead code', bin: 'knip', args: [] },
];

const failed = CHECKS.filter(({ name, bin, args }) => {
  console.log(`\n== ${name}`);
  const script = join(ROOT, 'node_modules', '.bin', process.platform === 'win32' ? `${bin}.cmd` : bin);
  const { status, error } = spawnSync(script, args, {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
    // Their scripts start with `env node`: it must be this Node.
    env: {
      ...process.env,
      ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }),
      PATH: `${join(process.execPath, '..')}:${process.env.PATH ?? ''}`,
    },
    timeout: 10 * 60_000,
  });
  if (error !== undefined) console.log(error.message);
  console.log(`== ${name}: ${status === 0 ? 'passed' : 'FAILED'}`);
  return status !== 0;
});
console.log(failed.length === 0 ? '\nevery check passed' : `\nfailed: ${failed.map(({ name }) => name).join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1);
