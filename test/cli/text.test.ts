/** Text and tables as a terminal shows them. */
import { expect, test } from 'vitest';
import { renderTable } from '../../src/cli/table.ts';
import { clean, cut, formatBytes, formatDuration, relativeTime, widthOf, wrap } from '../../src/cli/text.ts';

test('width counts columns, not code units', () => {
  expect(widthOf('abc')).toBe(3);
  expect(widthOf('日本')).toBe(4);
  expect(widthOf('e\u0301')).toBe(1);
  expect(widthOf('👩‍👩‍👧')).toBe(2);
});

test('cutting keeps whole characters within the width', () => {
  expect(cut('short', 5)).toBe('short');
  expect(cut('longer text', 7)).toBe('longer…');
  expect(cut('日本語', 5)).toBe('日本…');
  expect(cut('x', 0)).toBe('');
});

test('wrapping breaks at spaces and marks what is left out', () => {
  expect(wrap('one two three four', 9, 5)).toEqual(['one two', 'three', 'four']);
  expect(wrap('one two three four', 9, 2)).toEqual(['one two', 'three fo…']);
  expect(wrap('incomprehensibilities are long', 10, 3)).toEqual(['incompreh…', 'are long']);
  expect(wrap('', 10, 3)).toEqual([]);
});

test('control and direction characters become spaces', () => {
  expect(clean('a\u001b[31m\nb\u202ec\u0085')).toBe('a [31m b c');
});

test('units', () => {
  expect([0, 1023, 1536, 5 * 1024 ** 3, 2 ** 60].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.5 KiB',
    '5.0 GiB',
    '1048576 TiB',
  ]);
  expect([12.4, 12_400, 185_000].map(formatDuration)).toEqual(['12 ms', '12.4 s', '3 min 05 s']);
  const now = Date.parse('2026-03-02T00:00:00Z');
  const times = ['2026-03-02T00:00:00Z', '2026-03-01T23:57:00Z', '2026-03-04T12:00:00Z', 'never'];
  expect(times.map((iso) => relativeTime(iso, now))).toEqual(['now', '3 min ago', 'in 2 d', 'never']);
});

test('a table takes width from what may give, and never from ids', () => {
  const rows = [{ id: 'id-000000000001', name: 'a name that is rather long', count: 7 }];
  const columns = [
    { title: 'ID', value: (row: (typeof rows)[0]) => row.id },
    { title: 'N', value: (row: (typeof rows)[0]) => String(row.count), align: 'right' as const },
    { title: 'NAME', value: (row: (typeof rows)[0]) => row.name, shrinkTo: 6 },
  ];
  const at = (width: number) => renderTable(columns, rows, { width, title: (text) => text });
  expect(at(30)).toEqual(['ID               N  NAME', 'id-000000000001  7  a name th…']);
  expect(at(10)).toEqual(['ID               N  NAME', 'id-000000000001  7  a nam…']);
  expect(at(Number.POSITIVE_INFINITY)[1]).toBe('id-000000000001  7  a name that is rather long');
});
