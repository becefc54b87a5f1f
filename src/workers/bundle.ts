/** The workflow bundle: built once per content of the sources it is made from, kept in the cache folder. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const SRC = fileURLToPath(new URL('..', import.meta.url));
/** All that workflows may import values from; `test/architecture.test.ts` holds them to it. */
const PARTS = ['workflows', 'schema'];

/** Path of a bundle that fits the sources as they are now. Building takes a second and some 120 MB, reading none. */
export async function workflowBundle(
  cacheDir: string,
  interceptorModules: string[] = [],
): Promise<{ codePath: string }> {
  const hash = createHash('sha256').update(readFileSync(join(SRC, '..', 'package-lock.json')));
  for (const module of interceptorModules) hash.update(module);
  for (const part of PARTS) for (const file of sources(join(SRC, part))) hash.update(file).update(readFileSync(file));
  const folder = join(cacheDir, 'bundles');
  const codePath = join(folder, `${hash.digest('hex').slice(0, 32)}.js`);
  if (existsSync(codePath)) return { codePath };
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(SRC, 'workflows', 'index.ts'),
    workflowInterceptorModules: interceptorModules,
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
  });
  mkdirSync(folder, { recursive: true });
  const temporary = `${codePath}.${process.pid}`;
  writeFileSync(temporary, code);
  renameSync(temporary, codePath);
  return { codePath };
}

function sources(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? sources(path) : [path];
    });
}
