/** The official conformance suite against the door, once for each protocol revision it serves. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveConformance } from '../../fixtures/mcp/conformance-server.ts';
import type { Served } from '../../fixtures/mcp/serve.ts';

interface Check {
  id: string;
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO';
  errorMessage?: string;
}

/**
 * Failures that say only that there is nothing to test: no tool here asks for a header of its own (`x-mcp-header`).
 * The suite itself does not score them.
 */
const NOT_TESTABLE = /^Not testable: server exposes no tool with x-mcp-header annotations/;

const suite = join(
  dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')),
  'dist/index.js',
);

async function run(url: string, revision: string, folder: string): Promise<{ stdout: string; code: number }> {
  const args = [suite, 'server', '--url', url, '--requirements', revision, '-o', folder];
  return promisify(execFile)(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 }).then(
    ({ stdout }) => ({ stdout, code: 0 }),
    (error: { stdout: string; code: number }) => ({ stdout: error.stdout, code: error.code }),
  );
}

describe.each([
  { revision: '2025-11-25', scenarios: 33, checks: 80 },
  { revision: '2026-07-28', scenarios: 50, checks: 180 },
])('$revision', ({ revision, scenarios, checks }) => {
  let served: Served;
  let folder: string;

  beforeAll(async () => {
    served = await serveConformance();
    folder = await mkdtemp(join(tmpdir(), 'ostinato-conformance-'));
  });
  afterAll(async () => {
    await served.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('every scenario passes, the unscored ones too', async () => {
    const { stdout, code } = await run(served.url, revision, folder);
    const results = await Promise.all(
      (await readdir(folder)).map(async (name) => ({
        name,
        checks: JSON.parse(await readFile(join(folder, name, 'checks.json'), 'utf8')) as Check[],
      })),
    );
    const all = results.flatMap((result) => result.checks.map((check) => ({ ...check, scenario: result.name })));
    const failed = all.filter((check) => check.status === 'FAILURE' && !NOT_TESTABLE.test(check.errorMessage ?? ''));
    expect(failed).toEqual([]);
    expect(code, stdout.slice(-2_000)).toBe(0);
    // A suite that ran nothing also fails nothing.
    expect(results).toHaveLength(scenarios);
    expect(all.filter((check) => check.status === 'SUCCESS').length).toBeGreaterThanOrEqual(checks);
  });
});
