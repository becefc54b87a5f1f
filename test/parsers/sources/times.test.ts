/** Times of exports as ISO 8601 with Z. */
import { describe, expect, it } from 'vitest';
import { plain } from '../../../src/parsers/sources/columns.ts';
import { isoFromAny, isoFromSeconds, isoFromText } from '../../../src/parsers/sources/times.ts';

describe('isoFromText', () => {
  it.each([
    ['2025-03-04', '2025-03-04T00:00:00.000Z'],
    ['2025-03-04 10:30', '2025-03-04T10:30:00.000Z'],
    ['2025-03-04T10:30:05Z', '2025-03-04T10:30:05.000Z'],
    ['2025-03-04T10:30:05.123456Z', '2025-03-04T10:30:05.123Z'],
    ['2025-03-04T10:30:05.000+0000', '2025-03-04T10:30:05.000Z'],
    ['2018-02-18T02:30:00-07:00', '2018-02-18T09:30:00.000Z'],
    ['2025-03-04 10:30:00 UTC', '2025-03-04T10:30:00.000Z'],
    ['3/7/2025', '2025-03-07T00:00:00.000Z'],
    ['17/3/2025', '2025-03-17T00:00:00.000Z'],
    ['7.3.2025', '2025-03-07T00:00:00.000Z'],
    ['3/31/2025 9:12 AM', '2025-03-31T09:12:00.000Z'],
    ['3/31/2025, 12:05 AM', '2025-03-31T00:05:00.000Z'],
    ['3/31/2025 12:05 PM', '2025-03-31T12:05:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
  ])('%s', (text, iso) => {
    expect(isoFromText(text)).toBe(iso);
  });

  it.each([
    '',
    'soon',
    '2025-02-30',
    '2025-13-01',
    '31/31/2025',
    '2025-03-04T25:00:00Z',
    '0001-01-01',
    '9999-12-31',
    null,
    5,
  ])('%s is no time', (text) => {
    expect(isoFromText(text)).toBeNull();
  });
});

describe('numbers', () => {
  it('are seconds or milliseconds', () => {
    expect(isoFromSeconds('1741082400.000200')).toBe('2025-03-04T10:00:00.000Z');
    expect(isoFromAny(1741082400)).toBe('2025-03-04T10:00:00.000Z');
    expect(isoFromAny('1741082400000')).toBe('2025-03-04T10:00:00.000Z');
  });

  it.each([0, -5, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 'x', null])('%s is no time', (value) => {
    expect(isoFromSeconds(value)).toBeNull();
    expect(isoFromAny(value)).toBeNull();
  });
});

describe('plain', () => {
  it.each([
    ['<p>A &amp; B</p><p>C<br/>D</p>', 'A & B\nC\nD'],
    ['<style>p{}</style>x<script>y()</script>', 'x'],
    ['1 < 2 and 3 > 2', '1 < 2 and 3 > 2'],
    ['&#65;&#x42;&nbsp;&unknown;', 'AB &unknown;'],
  ])('%s', (html, text) => {
    expect(plain(html)).toBe(text);
  });
});
