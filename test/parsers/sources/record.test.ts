/** What no record leaves the parsers without, and what none leaves them with. */
import { describe, expect, it } from 'vitest';
import { record } from '../../../src/parsers/sources/record.ts';
import { RecordError } from './read.ts';

const DRAFT = { external_id: 'a', content_type: 'message', text: 'hello' } as const;

describe('record', () => {
  it('fills in what a draft leaves out', () => {
    expect(record(DRAFT)).toEqual({
      ...DRAFT,
      title: null,
      author: null,
      participants: [],
      occurred_at: null,
      url: null,
      parent_id: null,
      metadata: {},
    });
  });

  it.each([
    [{ text: '' }],
    [{ text: ' \n\t' }],
    [{ external_id: '' }],
    [{ text: 'a\0b' }],
    [{ title: '\0' }],
    [{ metadata: { deep: [{ a: '\0' }] } }],
  ])('refuses %j', (change) => {
    expect(() => record({ ...DRAFT, ...change })).toThrow(RecordError);
  });

  it('keeps metadata that JSON can hold and leaves the rest out', () => {
    const metadata = {
      a: 1,
      b: Number.NaN,
      c: undefined,
      d: null,
      e: '',
      f: [1, undefined, () => 1, 'cut \ud83d'],
      g: { h: true, ['__proto__']: 1 },
      i: 5n,
    };
    expect(record({ ...DRAFT, metadata }).metadata).toEqual({ a: 1, f: [1, 'cut \ufffd'], g: { h: true } });
  });

  it('reads an empty title, author or address as none', () => {
    expect(record({ ...DRAFT, title: ' ', author: '', url: '' })).toMatchObject({
      title: null,
      author: null,
      url: null,
    });
  });
});
