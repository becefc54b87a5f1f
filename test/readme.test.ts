/** Holds the README and docs/ to the code: every setting, exit code and metric, and files and headings that exist. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { exitCodesHelp } from '../src/cli/exit-codes.ts';
import { describeConfig, loadConfig } from '../src/schema/config.ts';
import { FORMER_SETTINGS } from '../src/schema/former-settings.ts';

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

const PAGES = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');

test('every file of the repository that it and the pages of docs name is there', () => {
  const named = PAGES.flatMap((page) =>
    [...read(page).matchAll(/`((?:src|test|samples|bench|bin|examples)\/[\w./-]+)`/g)].map((match) => match[1] ?? ''),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('every link within the repository leads to a page and a heading of it', () => {
  const anchorsOf = (page: string) =>
    [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
  const broken = PAGES.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)].flatMap(([link, path = '', anchor]) => {
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, target))) return [`${page}: ${link}`];
      return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${page}: ${link}`];
    }),
  );
  expect(broken).toEqual([]);
});

test('every setting that the pages of docs name is one, or was, and every metric is told once', () => {
  const ours = describeConfig(loadConfig({ env: {}, cwd: '/' })).map(({ name }) => name);
  const settings = new Set([...ours, ...Object.keys(FORMER_SETTINGS)]);
  const named = PAGES.slice(1).flatMap((page) => [...read(page).matchAll(/`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`/g)]);
  expect(named.length).toBeGreaterThan(20);
  expect(named.map(([, name = '']) => name).filter((name) => !settings.has(name))).toEqual([]);

  const sources = ['src/metrics.ts', 'src/services/load-metrics.ts'].map(read).join();
  const metrics = [...sources.matchAll(/name: '(ostinato_\w+)'/g)].map(([, name]) => name);
  const told = [...read('docs/access.md').matchAll(/`(ostinato_\w+)`/g)].map(([, name]) => name);
  expect(told.toSorted()).toEqual(metrics.toSorted());
});
