/** Settings that earlier systems had and this one does not: each is named where it is set, in one line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { run } from '../../src/local/run.ts';
import { describeConfig, loadConfig, warnOfFormer } from '../../src/schema/config.ts';
import { FORMER_SETTINGS } from '../../src/schema/former-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'ostinato-former-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const names = Object.keys(FORMER_SETTINGS);
const known = describeConfig(loadConfig({ env: {}, cwd: folder })).map(({ name }) => name);

it('are no settings of ours, and each leads to one of ours', () => {
  expect(names.filter((name) => known.includes(name))).toEqual([]);
  for (const [name, instead] of Object.entries(FORMER_SETTINGS)) {
    expect(
      known.filter((one) => instead.includes(one)),
      name,
    ).not.toEqual([]);
  }
  const docs = readFileSync(fileURLToPath(new URL('../../docs/access.md', import.meta.url)), 'utf8');
  const rows = Object.entries(FORMER_SETTINGS).map(([name, instead]) => `| ${name} | ${instead} |`);
  expect(docs.replaceAll('`', '')).toContain(rows.join('\n'));
});

it('are told in one line, from the environment and from .env, without their values', () => {
  expect(warnOfFormer({ env: { SERVER_PORT: '8080', WS_PORT: '' }, cwd: folder })).toBeNull();
  writeFileSync(join(folder, '.env'), 'MONGODB_URI=mongodb://me:secret@there/mcp\n');
  const env = { WS_PORT: '8080', SENTRY_DSN: 'https://key@there/1', METRICS_ENABLED: 'true' };
  const line = warnOfFormer({ env, cwd: folder }) ?? '';
  for (const name of names) expect(line).toContain(name);
  expect(line).not.toMatch(/\n|secret|key@there/);
  expect(warnOfFormer({ env: { WS_PORT: '1' }, cwd: tmpdir() })).toMatch(/^without effect here: WS_PORT \([^()]+\)$/);
});

it('are told by a start before anything is begun', async () => {
  process.env.WS_PORT = '9090';
  // A file where the data folder should be: the start ends at once.
  writeFileSync(join(folder, 'taken'), '');
  process.env.DATA_DIR = join(folder, 'taken');
  const lines: string[] = [];
  try {
    expect(await run([], { report: (line) => lines.push(line) })).not.toBe(0);
  } finally {
    delete process.env.WS_PORT;
    delete process.env.DATA_DIR;
  }
  expect(lines[0]).toMatch(/^warning: without effect here: WS_PORT /);
});
