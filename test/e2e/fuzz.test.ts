/** The API's own OpenAPI document drives a fuzzer: no 5xx, no status, type or shape that the document does not name. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCHEMATHESIS } from '../../src/local/components/catalogue.ts';
import { hasServer, requirePath } from '../support/servers/available.ts';
import { removeDataDir, type System, startSystem } from '../support/system.ts';

/** A fixed seed: the same requests in every run, as far as the answers let them. */
const SEED = '20261121';
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
];

describe.skipIf(!(await hasServer('schemathesis')))('requests made from the OpenAPI document', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({
      API_KEY: 'the-key-of-the-fuzzer-0123456789',
      RATE_LIMIT_READ: '0',
      RATE_LIMIT_WRITE: '0',
      RATE_LIMIT_SEARCH: '0',
      RATE_LIMIT_AGENT: '0',
    });
  });
  afterAll(async () => {
    await system?.stop();
    if (system) removeDataDir(system);
  });

  it('meet no 5xx and nothing undocumented', async () => {
    const document = join(system.dataDir, 'openapi.json');
    const { body } = await system.call('GET', '/openapi.json');
    writeFileSync(document, JSON.stringify(body));
    const { code, output } = await fuzz([
      ...['run', document, '--url', system.url, '-H', `Authorization: Bearer ${system.key}`],
      ...['--checks', CHECKS.join(','), '--phases', 'examples,coverage,fuzzing'],
      ...['--max-examples', '4', '--max-time', '150', '--seed', SEED, '--request-timeout', '60', '--no-color'],
    ]);
    expect(code, output.slice(-12_000)).toBe(0);
    const tested = Number(/Tested: (\d+)/.exec(output)?.[1]);
    const operations = Object.values(body.paths as Record<string, object>).flatMap(Object.keys).length;
    expect(tested).toBe(operations);
    expect(Number(/(\d+) generated/.exec(output)?.[1])).toBeGreaterThan(operations * 20);
  }, 300_000);
});

async function fuzz(args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(await requirePath(SCHEMATHESIS), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}
