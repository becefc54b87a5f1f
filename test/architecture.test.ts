/** Holds the house to its plan: which room may import from which, and where the environment is read. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** For each room the rooms it may take values from. Types may come from anywhere. */
const VALUES: Record<string, string[]> = {
  schema: [],
  parsers: ['schema'],
  stores: ['schema', 'clients'],
  clients: ['schema'],
  services: ['schema', 'stores', 'clients', 'parsers'],
  workflows: ['schema'],
  activities: ['schema', 'stores', 'clients', 'parsers', 'services', 'shared'],
  /** Operations, to hand them to activities: stages of pipelines run them. */
  workers: ['schema', 'stores', 'clients', 'activities', 'services', 'workflows', 'operations', 'local', 'shared'],
  operations: ['schema', 'stores', 'clients', 'services', 'parsers'],
  mcp: ['schema', 'operations', 'services', 'clients', 'stores'],
  api: ['schema', 'operations', 'services', 'clients', 'stores', 'mcp', 'local', 'shared'],
  cli: ['schema', 'mcp', 'local'],
  /** The API and the workers only as programs to start. */
  local: ['schema', 'stores', 'services', 'api', 'workers'],
  /** Files beside the rooms: `deps.ts`, `logging.ts`, `metrics.ts`, `tracing.ts`. */
  shared: ['schema', 'stores', 'clients'],
};

/** What workflows may take values from within `schema`. */
const SAFE_FOR_WORKFLOWS = ['schema/names.ts', 'schema/failures.ts'];

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : path.endsWith('.ts') ? [path] : [];
  });
}

const room = (path: string) => {
  const parts = relative(SRC, path).split('/');
  return parts.length === 1 ? 'shared' : (parts[0] ?? '');
};

/** Import and export statements with a path, and dynamic imports; `types` when nothing of it is left at run time. */
function importsOf(path: string): { target: string; types: boolean }[] {
  const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const found = [...text.matchAll(/(?:^|\n)\s*(?:import|export)\s+(type\s+)?([^;'"]*?)from\s+'([^']+)'/g)].map(
    (match) => ({
      specifier: match[3] ?? '',
      types: match[1] !== undefined || onlyTypes(match[2] ?? ''),
    }),
  );
  const dynamic = [...text.matchAll(/(?:import\(|new URL\(|import\s+)'(\.[^']+)'/g)].map((match) => ({
    specifier: match[1] ?? '',
    types: false,
  }));
  return [...found, ...dynamic]
    .filter(({ specifier }) => specifier.startsWith('.') && specifier.endsWith('.ts'))
    .map(({ specifier, types }) => ({ target: resolve(dirname(path), specifier), types }));
}

function onlyTypes(clause: string): boolean {
  const names = /^\s*\{([\s\S]*)\}\s*$/.exec(clause)?.[1];
  const parts = names?.split(',').filter((name) => name.trim()) ?? ['a default import'];
  return parts.every((name) => name.trim().startsWith('type '));
}

describe('architecture', () => {
  const all = files(SRC);

  test('rooms take values only from the rooms below them', () => {
    const wrong = all.flatMap((path) =>
      importsOf(path)
        .filter(
          ({ target, types }) =>
            !types && room(target) !== room(path) && !(VALUES[room(path)] ?? []).includes(room(target)),
        )
        .map(({ target }) => `${relative(SRC, path)} → ${relative(SRC, target)}`),
    );
    expect(wrong).toEqual([]);
  });

  test('every room is known', () => {
    expect([...new Set(all.map(room))].filter((name) => !(name in VALUES))).toEqual([]);
  });

  test('workflows take values only from names and failures', () => {
    const wrong = all
      .filter((path) => room(path) === 'workflows')
      .flatMap((path) => importsOf(path).map((found) => ({ path, ...found })))
      .filter(
        ({ target, types }) =>
          !types && room(target) !== 'workflows' && !SAFE_FOR_WORKFLOWS.includes(relative(SRC, target)),
      )
      .map(({ path, target }) => `${relative(SRC, path)} → ${relative(SRC, target)}`);
    expect(wrong).toEqual([]);
  });

  test('workflows read no clock, no chance and no environment', () => {
    const wrong = all
      .filter((path) => room(path) === 'workflows')
      .filter((path) =>
        /from 'node:|from '@temporalio\/(client|worker|activity)'|from 'zod'|process\./.test(
          readFileSync(path, 'utf8'),
        ),
      )
      .map((path) => relative(SRC, path));
    expect(wrong).toEqual([]);
  });

  test('only schema/config.ts reads the environment', () => {
    const wrong = all
      .filter(
        (path) =>
          relative(SRC, path) !== 'schema/config.ts' &&
          /process\.env/.test(readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')),
      )
      .map((path) => relative(SRC, path));
    expect(wrong).toEqual([]);
  });

  test('every file opens with a sentence that says what lives there', () => {
    const wrong = all
      .filter((path) => !/^(#!.*\n)?\/\*\*[\s\S]+?\*\//.test(readFileSync(path, 'utf8')))
      .map((path) => relative(SRC, path));
    expect(wrong).toEqual([]);
  });

  test('no file passes 300 lines', () => {
    const wrong = all
      .filter((path) => readFileSync(path, 'utf8').split('\n').length > 301)
      .map((path) => relative(SRC, path));
    expect(wrong).toEqual([]);
  });

  test('there is no import cycle of values', () => {
    const graph = new Map(
      all.map((path) => [
        path,
        importsOf(path)
          .filter((i) => !i.types)
          .map((i) => i.target),
      ]),
    );
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (path: string, trail: string[]): void => {
      if (state.get(path) === 'done') return;
      if (state.get(path) === 'open') {
        cycles.push([...trail.slice(trail.indexOf(path)), path].map((p) => relative(SRC, p)).join(' → '));
        return;
      }
      state.set(path, 'open');
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
      state.set(path, 'done');
    };
    for (const path of all) visit(path, []);
    expect(cycles).toEqual([]);
  });
});
