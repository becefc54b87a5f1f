/** Every promise has a proof, and every proof is where it is said to be. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Proof, REQUIREMENTS } from './requirements.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Titles given to test and describe, also behind `.each(…)`, and the first texts of rows of data. */
function titlesOf(text: string): string[] {
  const literal = /(['"`])((?:\\.|(?!\1)[\s\S])*?)\1/.source;
  const named = new RegExp(`(?:\\b(?:test|it|describe)(?:\\.\\w+)*|\\))\\(\\s*${literal}\\s*,`, 'g');
  const rows = new RegExp(`\\[\\s*${literal}\\s*,`, 'g');
  return [named, rows].flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[2] ?? ''));
}

/** The cells of the rows of bench/RESULTS.md. */
function results(): { id: string; what: string; met: boolean }[] {
  return readFileSync(join(ROOT, 'bench/RESULTS.md'), 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter((cells) => /^(p-)?[a-z]$/.test(cells[1] ?? ''))
    .map((cells) => ({ id: cells[1] ?? '', what: cells[2] ?? '', met: cells[5] === 'yes' }));
}

/** What is wrong with a proof, or null. */
function fault(proof: Proof): string | null {
  if ('by' in proof) return proof.seen.endsWith('.') ? null : 'says nothing';
  if ('bench' in proof) {
    const row = results().find(({ id, what }) => id === proof.bench && what.includes(proof.row));
    if (row === undefined) return `bench ${proof.bench} has no row "${proof.row}"`;
    return row.met ? null : `bench ${proof.bench} "${proof.row}" is not met`;
  }
  const path = join(ROOT, proof.file);
  if (!existsSync(path)) return `${proof.file} is not there`;
  return titlesOf(readFileSync(path, 'utf8')).some((title) => title.includes(proof.test))
    ? null
    : `${proof.file} has no test "${proof.test}"`;
}

describe('requirements', () => {
  test('each has an id of its own, a promise and a proof', () => {
    expect(new Set(REQUIREMENTS.map(({ id }) => id)).size).toBe(REQUIREMENTS.length);
    expect(REQUIREMENTS.filter(({ promise, proof }) => promise === '' || proof.length === 0)).toEqual([]);
  });

  test('every proof is where it is said to be, unless the promise is said to be open', () => {
    const wrong = REQUIREMENTS.filter(({ open }) => open === undefined).flatMap(({ id, proof }) =>
      proof.map(fault).flatMap((why) => (why === null ? [] : [`${id}: ${why}`])),
    );
    expect(wrong).toEqual([]);
  });

  test('few are seen by hand, and the open ones say what is open', () => {
    const open = REQUIREMENTS.filter((requirement) => requirement.open !== undefined);
    expect(open.filter((requirement) => !requirement.open?.endsWith('.'))).toEqual([]);
    expect(REQUIREMENTS.filter(({ proof }) => proof.some((p) => 'by' in p)).length).toBeLessThanOrEqual(3);
  });
});
