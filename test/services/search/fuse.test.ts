/** Reciprocal rank fusion: agreement wins, weights count, weak matches of words stay out, ties are stable. */
import { expect, test } from 'vitest';
import { fuse, type Ranking } from '../../../src/services/search/rank.ts';

const ranking = (ids: string[], more: Partial<Ranking> = {}): Ranking => ({
  ids,
  complete: true,
  strong: ids.length,
  weight: 1,
  ...more,
});
const ids = (rankings: Ranking[]) => fuse(rankings).map((entry) => entry.id);

test('what both rankings hold comes before the first of either', () => {
  expect(ids([ranking(['a', 'both']), ranking(['b', 'both'])])).toEqual(['both', 'a', 'b']);
  expect(fuse([ranking(['a', 'both']), ranking(['b', 'both'])])[0]?.score).toBeCloseTo(2 / 62, 10);
});

test('a heavier ranking leads where the two disagree', () => {
  expect(ids([ranking(['a']), ranking(['b'], { weight: 1.5 })])).toEqual(['b', 'a']);
});

test('weak entries stay out of a fusion and in a ranking that stands alone', () => {
  const words = ranking(['a', 'weak'], { strong: 1 });
  expect(ids([words, ranking(['b'])])).toEqual(['a', 'b']);
  expect(ids([words])).toEqual(['a', 'weak']);
});

test('equal scores go by id, whichever ranking they came from', () => {
  expect(ids([ranking(['z']), ranking(['y'])])).toEqual(['y', 'z']);
  expect(ids([])).toEqual([]);
});
