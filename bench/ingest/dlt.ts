/** dlt (PyPI) loading the same records into the same Postgres, in a schema of its own, from lines of JSON made beforehand. */
import { spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseLimits } from '../../src/parsers/limits.ts';
import { parseUpload } from '../../src/parsers/parse-upload.ts';
import { fileAccess } from '../../src/parsers/readers/access.ts';
import { loadConfig } from '../../src/schema/config.ts';

const VERSION = 'dlt[postgres]==1.31.0';
const SCRIPT = fileURLToPath(new URL('./dlt_load.py', import.meta.url));

/** The Python that has dlt, from a virtual environment in the cache folder; null, and why is said, where it cannot be had. */
export function preparePython(): string | null {
  const { cacheDir } = loadConfig({ cwd: tmpdir() });
  const folder = join(cacheDir, 'bench-dlt-1.31.0');
  const python = join(folder, 'bin', 'python');
  // Written last: an interrupted install must not look like a finished one.
  const finished = join(folder, 'finished');
  if (existsSync(finished)) return python;
  rmSync(folder, { recursive: true, force: true });
  for (const [command, ...args] of [
    ['python3', '-m', 'venv', folder],
    [join(folder, 'bin', 'pip'), 'install', '--quiet', VERSION],
  ] as [string, ...string[]][]) {
    const done = spawnSync(command, args, { encoding: 'utf8', timeout: 300_000 });
    if (done.status === 0) continue;
    const reason = done.stderr?.trim().split('\n').at(-1) ?? 'did not start';
    console.log(`skipped: dlt (${command} ${args.join(' ')}: ${reason})`);
    return null;
  }
  writeFileSync(finished, '');
  return python;
}

/** The records of an export as lines of JSON. */
export async function writeLines(exportPath: string, linesPath: string): Promise<void> {
  const access = await fileAccess(exportPath);
  const limits = parseLimits(loadConfig({ env: {}, cwd: tmpdir() }));
  async function* lines(): AsyncGenerator<string> {
    for await (const { records } of parseUpload(access, { source: 'slack', filename: 'export.zip', limits })) {
      yield records.map((record) => `${JSON.stringify(record)}\n`).join('');
    }
  }
  await pipeline(Readable.from(lines()), createWriteStream(linesPath));
  await access.close();
}

/** Milliseconds that dlt itself took, without starting Python. */
export function dltLoad(python: string, linesPath: string, databaseUrl: string): number {
  const folder = mkdtempSync(join(tmpdir(), 'ostinato-dlt-'));
  try {
    const done = spawnSync(python, [SCRIPT, linesPath, databaseUrl, folder], {
      encoding: 'utf8',
      timeout: 900_000,
      env: { ...process.env, RUNTIME__DLTHUB_TELEMETRY: 'false' },
    });
    if (done.status !== 0) throw new Error(`dlt: ${done.stderr.slice(-2000)}`);
    return (JSON.parse(done.stdout.trim().split('\n').at(-1) ?? '{}') as { ms: number }).ms;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
