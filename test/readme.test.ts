/** Holds the README to the code: every setting, every exit code, and files that exist. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { exitCodesHelp } from '../src/cli/exit-codes.ts';
import { describeConfig, loadConfig } from '../src/schema/config.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

test('the table of settings has every setting with its default and description, and no other', () => {
  const table = /<!-- settings -->\n([\s\S]*?)\n<!-- \/settings -->/.exec(README)?.[1] ?? '';
  const rows = describeConfig(loadConfig({ env: {}, cwd: '/' })).map(
    ({ name, value, description }) => `| \`${name}\` | ${value === '' ? '' : `\`${value}\``} | ${description} |`,
  );
  expect(table.split('\n').slice(2)).toEqual(rows);
});

test('the exit codes are those of the command', () => {
  const codes = [...exitCodesHelp().matchAll(/^ {2}(\d+) +(.+)$/gm)].map(([, code, text]) => `| ${code} | ${text} |`);
  expect(codes.length).toBeGreaterThan(4);
  for (const row of codes) expect(README).toContain(row);
});

test('every file of the repository that it names is there', () => {
  const named = [...README.matchAll(/`((?:src|test|samples|bench|bin)\/[\w./-]+)`/g)].map((match) => match[1] ?? '');
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
