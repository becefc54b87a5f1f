/** Whether a real server can be had for a test, and from where. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  REDIS,
  SCHEMATHESIS,
  TEMPORAL,
  TEMPORAL_SERVER,
  TEMPORAL_SQL_TOOL,
  TEMPORAL_TEST_SERVER,
  VERSITYGW,
  WEAVIATE,
} from '../../../src/local/components/catalogue.ts';
import type { Component } from '../../../src/local/components/contract.ts';
import { findComponent } from '../../../src/local/components/resolve.ts';
import { loadConfig } from '../../../src/schema/config.ts';

/** Real servers by the name that tests ask for, each with the programs that it takes. */
export const SERVERS = {
  temporal: [TEMPORAL],
  weaviate: [WEAVIATE],
  versitygw: [VERSITYGW],
  redis: [REDIS],
  'temporal-server': [TEMPORAL_SERVER, TEMPORAL_SQL_TOOL],
  'temporal-test-server': [TEMPORAL_TEST_SERVER],
  schemathesis: [SCHEMATHESIS],
} as const satisfies Record<string, readonly Component[]>;
export type ServerName = keyof typeof SERVERS | 'postgres';

/**
 * Whether `name` can be started now, for `describe.skipIf(!(await hasServer('weaviate')))`. Nothing is downloaded or
 * built here: `npm test` has done that before under CI. Says so on stderr when not, and throws under CI, where a skip
 * counts as a failure.
 */
export async function hasServer(name: ServerName): Promise<boolean> {
  const missing = await missingPart(name);
  if (missing === undefined) return true;
  const line = `skipped: tests with a real ${name} (${missing} is not here)`;
  if (process.env.CI === 'true') throw new Error(line);
  process.stderr.write(`${line}\n`);
  return false;
}

async function missingPart(name: ServerName): Promise<string | undefined> {
  if (name === 'postgres') return systemPostgres() === undefined ? "the system's own Postgres" : undefined;
  for (const component of SERVERS[name]) {
    if ((await pathOf(component)) === undefined) return component.name;
  }
  return undefined;
}

/** The program of a component that is on PATH or in the cache. */
export async function pathOf(component: Component): Promise<string | undefined> {
  const found = await findComponent(component, {
    cacheDir: testCacheDir(),
    timeoutSeconds: 60,
    report: () => {},
    environment: process.env,
  });
  return found?.path;
}

/** As `pathOf`, for a server that `hasServer` has told to be there. */
export async function requirePath(component: Component): Promise<string> {
  const path = await pathOf(component);
  if (path === undefined) throw new Error(`${component.name} is neither on PATH nor in the cache`);
  return path;
}

export function testCacheDir(): string {
  return loadConfig({ cwd: '/' }).cacheDir;
}

/** Folder of the newest Postgres programs that the system's packages brought. */
export function systemPostgres(): { bin: string; major: string } | undefined {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return undefined;
  const major = readdirSync(root)
    .filter((name) => /^\d+$/.test(name) && existsSync(join(root, name, 'bin', 'initdb')))
    .sort((a, b) => Number(b) - Number(a))[0];
  return major === undefined ? undefined : { bin: join(root, major, 'bin'), major };
}
