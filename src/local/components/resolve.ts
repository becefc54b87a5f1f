/** Finds a component: on PATH, in the cache, as the vendor's download, or from its pinned module or package. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { lock } from '../../../bin/lock.js';
import type { Component, Resolved, ResolveOptions } from './contract.ts';
import { mavenJars } from './maven.ts';
import { aptInstall, download, goBuild } from './obtain.ts';
import { pipPackages } from './pip.ts';
import { runToEnd } from './process.ts';

/**
 * Returns a program that passed its check and says where it came from. Whatever is obtained is made in a temporary
 * folder under a lock, checked there, and renamed into the cache: an interrupted one never looks finished.
 * Throws with every way that was tried and what a person can do.
 */
export async function resolveComponent(component: Component, options: ResolveOptions): Promise<Resolved> {
  const found = await findComponent(component, options);
  if (found !== undefined) return found;
  const held = await lock(join(options.cacheDir, 'locks', folderName(component)), {
    timeoutMs: options.timeoutSeconds * 1000,
    onWait: ({ pid }) => options.report(`process ${pid} is getting ${component.name}; waiting for it`),
  });
  try {
    const meanwhile = await findInCache(component, options);
    if (meanwhile !== undefined) return { path: meanwhile, origin: 'cache' };
    return await obtain(component, options);
  } finally {
    held.release();
  }
}

/** What is on PATH or in the cache already. */
export async function findComponent(component: Component, options: ResolveOptions): Promise<Resolved | undefined> {
  const onPath = await findOnPath(component, options);
  if (onPath !== undefined) return { path: onPath, origin: 'PATH' };
  const cached = await findInCache(component, options);
  return cached === undefined ? undefined : { path: cached, origin: 'cache' };
}

function folderName(component: Component): string {
  return `${component.name}-${component.version}-${process.platform}-${process.arch}`;
}

function programName(component: Component): string {
  return process.platform === 'win32' ? `${component.name}.exe` : component.name;
}

/** Where the cache keeps a component's program once it is whole. */
export function cachedPath(component: Component, cacheDir: string): string {
  return join(cacheDir, 'bin', folderName(component), programName(component));
}

async function passes(path: string, component: Component, options: ResolveOptions): Promise<boolean> {
  const { output, timedOut, code } = await runToEnd(path, component.check.args, {
    env: options.environment,
    timeoutMs: 20_000,
  });
  return code !== null && !timedOut && component.check.accepts(output);
}

async function findOnPath(component: Component, options: ResolveOptions): Promise<string | undefined> {
  for (const name of component.onPath) {
    for (const folder of (options.environment.PATH ?? '').split(delimiter)) {
      const path = join(folder, process.platform === 'win32' ? `${name}.exe` : name);
      if (folder === '' || !existsSync(path)) continue;
      if (await passes(path, component, options)) return path;
      options.report(`${path} is not a version this works with; looking further`);
    }
  }
  return undefined;
}

async function findInCache(component: Component, options: ResolveOptions): Promise<string | undefined> {
  const path = cachedPath(component, options.cacheDir);
  return existsSync(path) && (await passes(path, component, options)) ? path : undefined;
}

async function obtain(component: Component, options: ResolveOptions): Promise<Resolved> {
  const draft = join(options.cacheDir, 'tmp', folderName(component));
  const failures: string[] = [];
  const ways = [
    { origin: 'download', get: () => download(component, draft, options) },
    { origin: 'build', get: () => goBuild(component, draft, options) },
    { origin: 'maven', get: () => mavenJars(component, draft, options) },
    { origin: 'pip', get: () => pipPackages(component, draft, options) },
    { origin: 'apt', get: () => aptInstall(component, options) },
  ] as const;
  try {
    for (const { origin, get } of ways) {
      rmSync(draft, { recursive: true, force: true });
      mkdirSync(draft, { recursive: true });
      const result = await get();
      if (result === undefined) continue;
      if ('failure' in result) {
        failures.push(result.failure);
        options.report(result.failure);
        continue;
      }
      if (origin === 'apt') {
        const installed = await findOnPath(component, options);
        if (installed !== undefined) return { path: installed, origin };
        continue;
      }
      if (!(await passes(result.path, component, options))) {
        failures.push(`${component.name}: what the ${origin} brought does not run or is another version`);
        continue;
      }
      return { path: keep(component, result, draft, options.cacheDir), origin };
    }
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  throw new Error(
    [`${component.name} ${component.version} could not be had`, ...failures, component.advice].join('\n  '),
  );
}

/** Moves a checked program to its place. The rename is what makes it exist. */
function keep(
  component: Component,
  { path, folder }: { path: string; folder?: string },
  draft: string,
  cacheDir: string,
): string {
  const whole = folder ?? join(draft, 'whole');
  mkdirSync(whole, { recursive: true });
  renameSync(path, join(whole, programName(component)));
  const target = join(cacheDir, 'bin', folderName(component));
  mkdirSync(join(cacheDir, 'bin'), { recursive: true });
  rmSync(target, { recursive: true, force: true });
  renameSync(whole, target);
  return cachedPath(component, cacheDir);
}
