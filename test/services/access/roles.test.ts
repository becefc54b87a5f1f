/** Roles and ids as other services name them. */
import { describe, expect, it } from 'vitest';
import { foreignId, shownName } from '../../../src/services/access/foreign-ids.ts';
import { claimAt, strongestRole } from '../../../src/services/access/roles.ts';

describe('strongestRole', () => {
  it.each([
    [['viewer', 'admin', 'analyst'], 'admin'],
    ['operator', 'operator'],
    [[{ name: 'developer' }, 'viewer'], 'developer'],
    [['agent', 'viewer'], 'viewer'],
    [['agent'], 'agent'],
    ['viewer admin', null],
    [['ADMIN', ' admin'], null],
    [[['admin']], null],
    [{ admin: true }, null],
    [undefined, null],
    [7, null],
  ])('%j is %s', (value, role) => {
    expect(strongestRole(value)).toBe(role);
  });

  it('looks over several places and at a bounded number of words', () => {
    expect(strongestRole(undefined, ['viewer'], 'analyst')).toBe('analyst');
    expect(strongestRole([...Array(1_000).fill('x'), 'admin'])).toBe(null);
  });
});

describe('claimAt', () => {
  it('prefers the claim of that very name to a path', () => {
    expect(claimAt({ 'a.b': 1, a: { b: 2 } }, 'a.b')).toBe(1);
    expect(claimAt({ a: { b: { c: 3 } } }, 'a.b.c')).toBe(3);
    expect(claimAt({ a: 'text' }, 'a.length')).toBe(undefined);
    expect(claimAt({}, 'constructor.name')).toBe(undefined);
    expect(claimAt({ a: null }, 'a.b')).toBe(undefined);
  });
});

describe('foreignId', () => {
  it('keeps authorities apart, whatever they call their callers', () => {
    expect(foreignId('https://a.example', 'b|c')).toBe('a.example|b|c');
    expect(foreignId('https://a.example|b', 'c')).toBe('a.example%7Cb|c');
    expect(foreignId('https://a.example/', 'ada')).not.toBe(foreignId('https://a.example', 'ada'));
    expect(foreignId('http://a.example:81', 7)).toBe('a.example:81|7');
    expect(foreignId('https://a.example', 'x'.repeat(245))).toHaveLength(255);
  });

  it.each(['', '  ', 'a\u0000b', 'a\u007f', 'x'.repeat(246), '\ud800', null, undefined, {}, ['a'], true])(
    'has none for %j',
    (subject) => {
      expect(foreignId('https://a.example', subject)).toBe(null);
    },
  );
});

it('shows the first usable name, without control characters', () => {
  expect(shownName('id', undefined, ' \n', 7, ' Ada\u0007 L. ')).toBe('Ada  L.');
  expect(shownName('id', {})).toBe('id');
  expect(shownName('id', 'x'.repeat(500))).toHaveLength(200);
});
