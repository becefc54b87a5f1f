/** Date words: what is understood, and which ordinary words are left alone. */
import { describe, expect, test } from 'vitest';
import { readDateWords } from '../../../src/services/search/date-words.ts';

/** A Wednesday. */
const NOW = Date.parse('2025-03-19T15:30:00Z');

function read(query: string, now = NOW) {
  const found = readDateWords(query, now);
  const day = (at: number | null) => (at === null ? null : new Date(at).toISOString().replace('T00:00:00.000Z', ''));
  return found && [found.text, day(found.from), day(found.to), found.phrase];
}

describe('phrases that limit the time', () => {
  test.each([
    ['customer feedback from last week', 'customer feedback', '2025-03-10', '2025-03-17', 'from last week'],
    ['what broke yesterday?', 'what broke?', '2025-03-18', '2025-03-19', 'yesterday'],
    ["Yesterday's standup", 'standup', '2025-03-18', '2025-03-19', "Yesterday's"],
    ['deals closed today', 'deals closed', '2025-03-19', '2025-03-20', 'today'],
    ['calls this week', 'calls', '2025-03-17', '2025-03-24', 'this week'],
    ['deals in the last month', 'deals', '2025-02-01', '2025-03-01', 'in the last month'],
    ['deals over the past month', 'deals', '2025-02-19', '2025-03-20', 'over the past month'],
    ['messages in the last 7 days', 'messages', '2025-03-12', '2025-03-20', 'in the last 7 days'],
    ['leads from two weeks ago', 'leads', '2025-03-03', '2025-03-10', 'from two weeks ago'],
    ['lead created a month ago', 'lead created', '2025-02-01', '2025-03-01', 'a month ago'],
    ['pricing objections in March', 'pricing objections', '2025-03-01', '2025-04-01', 'in March'],
    ['pricing objections in may', 'pricing objections', '2024-05-01', '2024-06-01', 'in may'],
    ['pricing in March 2024', 'pricing', '2024-03-01', '2024-04-01', 'in March 2024'],
    ['last March pricing', 'pricing', '2024-03-01', '2024-04-01', 'last March'],
    ['May 2024 renewals', 'renewals', '2024-05-01', '2024-06-01', 'May 2024'],
    ['tickets since Monday', 'tickets', '2025-03-17', null, 'since Monday'],
    ['tickets since Wednesday', 'tickets', '2025-03-19', null, 'since Wednesday'],
    ['tickets last Wednesday', 'tickets', '2025-03-12', '2025-03-13', 'last Wednesday'],
    ['what was said on Friday', 'what was said', '2025-03-14', '2025-03-15', 'on Friday'],
    ['revenue in Q1 2025', 'revenue', '2025-01-01', '2025-04-01', 'in Q1 2025'],
    ['Q4 2024 revenue', 'revenue', '2024-10-01', '2025-01-01', 'Q4 2024'],
    ['revenue in q3', 'revenue', '2024-07-01', '2024-10-01', 'in q3'],
    ['revenue last quarter', 'revenue', '2024-10-01', '2025-01-01', 'last quarter'],
    ['revenue in 2023', 'revenue', '2023-01-01', '2024-01-01', 'in 2023'],
    ['churn before February', 'churn', null, '2025-02-01', 'before February'],
    ['churn after 5 January 2025', 'churn', '2025-01-06', null, 'after 5 January 2025'],
    ['churn until 2025-01-31', 'churn', null, '2025-02-01', 'until 2025-01-31'],
    ['outage on March 3rd', 'outage', '2025-03-03', '2025-03-04', 'on March 3rd'],
    ['outage on December 24', 'outage', '2024-12-24', '2024-12-25', 'on December 24'],
    ['churn between January and March 2024', 'churn', '2024-01-01', '2024-04-01', 'between January and March 2024'],
    [
      'churn between 2024-11-03 and 2024-11-05',
      'churn',
      '2024-11-03',
      '2024-11-06',
      'between 2024-11-03 and 2024-11-05',
    ],
    ['churn from Monday to yesterday', 'churn', '2025-03-17', '2025-03-19', 'from Monday to yesterday'],
    ['last week', '', '2025-03-10', '2025-03-17', 'last week'],
  ])('%s', (query, text, from, to, phrase) => {
    expect(read(query)).toEqual([text, from, to, phrase]);
  });
});

describe('words that are no dates', () => {
  test.each([
    'who may approve a refund',
    'the cat sat on the mat',
    'second opinion about the march of progress',
    'messages from April',
    'what did June say about pricing',
    'sun and moon theme',
    'dashboard of 2024',
    'may 5 people join the call',
    'contract for may',
    'monday.com integration',
    'on second thought',
    'the last mile',
    'next steps for now',
    'version 2024-01',
    'on 2025-02-30',
    '"last week" tonight',
    'march-in rights',
    'between friends and family',
  ])('%s', (query) => {
    expect(readDateWords(query, NOW)).toBeNull();
  });

  test('an ordinary word before a date phrase is passed over', () => {
    expect(read('who may join since Monday')).toEqual(['who may join', '2025-03-17', null, 'since Monday']);
  });
});

describe('edges of the calendar, in UTC', () => {
  test.each([
    ['last week', '2025-03-17T00:00:00Z', '2025-03-10', '2025-03-17'],
    ['last week', '2025-03-16T23:59:59Z', '2025-03-03', '2025-03-10'],
    ['last month', '2025-01-31T10:00:00Z', '2024-12-01', '2025-01-01'],
    ['last quarter', '2025-02-01T10:00:00Z', '2024-10-01', '2025-01-01'],
    ['past month', '2025-03-31T10:00:00Z', '2025-02-28', '2025-04-01'],
    ['on 29 February', '2025-03-19T10:00:00Z', '2024-02-29', '2024-03-01'],
    ['in december', '2025-12-01T00:00:00Z', '2025-12-01', '2026-01-01'],
    ['in december', '2025-11-30T23:59:59Z', '2024-12-01', '2025-01-01'],
  ])('%s at %s', (query, now, from, to) => {
    expect(read(query, Date.parse(now))?.slice(1, 3)).toEqual([from, to]);
  });
});
