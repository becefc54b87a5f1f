/** The data folder while it is in use: its lock, and runtime.json that names what runs in it. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Lock, tryLock } from '../../bin/lock.js';

const runtimeSchema = z.object({
  pid: z.number().int(),
  startTime: z.string(),
  started_at: z.string(),
  ready: z.boolean(),
  processes: z.array(z.object({ name: z.string(), pid: z.number().int(), startTime: z.string() })),
  /** Where things are reached; absent before they are up. */
  addresses: z.object({
    api: z.string().optional(),
    mcp: z.string().optional(),
    docs: z.string().optional(),
    temporal: z.string().optional(),
    temporal_ui: z.string().optional(),
    temporal_metrics: z.string().optional(),
    postgres: z.string().optional(),
  }),
});
export type Runtime = z.infer<typeof runtimeSchema>;

/** Said to whoever starts a second time on a folder in use. */
export class FolderInUse extends Error {
  constructor(dataDir: string, pid: number) {
    super(`${dataDir} is in use by process ${pid}: stop that one, or set another DATA_DIR`);
    this.name = 'FolderInUse';
  }
}

/** Makes the folder for its owner alone and takes its lock. Throws FolderInUse. */
export async function takeFolder(dataDir: string): Promise<Lock> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  chmodSync(dataDir, 0o700);
  const result = await tryLock(join(dataDir, 'lock'));
  if (result.holder !== undefined) throw new FolderInUse(dataDir, result.holder.pid);
  return result;
}

/** What runs, or ran, in a data folder; undefined when there is nothing readable. */
export function readRuntime(dataDir: string): Runtime | undefined {
  try {
    return runtimeSchema.parse(JSON.parse(readFileSync(join(dataDir, 'runtime.json'), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Written whole or not at all. */
export function writeRuntime(dataDir: string, runtime: Runtime): void {
  const path = join(dataDir, 'runtime.json');
  writeFileSync(`${path}.new`, `${JSON.stringify(runtime, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeRuntime(dataDir: string): void {
  rmSync(join(dataDir, 'runtime.json'), { force: true });
}
