/** Processes of the house beside those that a system started itself, on the same stores. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UNLIMITED } from '../support/stack.ts';
import type { Where } from '../support/truth.ts';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Resolves when it says that it is ready. */
export async function startProcess(
  room: 'api' | 'workers',
  where: Where,
  settings: Record<string, string>,
): Promise<ChildProcess> {
  const runtime = JSON.parse(readFileSync(join(where.dataDir, 'runtime.json'), 'utf8')) as {
    addresses: { temporal: string };
  };
  const keys = Object.fromEntries(
    readdirSync(join(where.dataDir, 'keys')).map((name) => [
      name,
      readFileSync(join(where.dataDir, 'keys', name), 'utf8').trim(),
    ]),
  );
  const child = spawn(process.execPath, [join(ROOT, `src/${room}/main.ts`)], {
    env: {
      ...process.env,
      LOG_LEVEL: 'warn',
      EMBEDDINGS: 'hash',
      ...UNLIMITED,
      ...settings,
      ...keys,
      DATA_DIR: where.dataDir,
      DATABASE_URL: where.databaseUrl,
      TEMPORAL_ADDRESS: runtime.addresses.temporal,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      if (out.includes('"ready":true')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the second process of ${room} ended with ${code}: ${out}`)));
  });
  return child;
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
