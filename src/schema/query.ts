/** Wire contracts of search and suggestions. */
import { z } from 'zod';
import { CONTENT_TYPES, SOURCES } from './names.ts';

export const SEARCH_MODES = ['hybrid', 'semantic', 'keyword'] as const;
export type SearchMode = (typeof SEARCH_MODES)[number];

/** Text of a result is cut here; the record's link gives the whole. */
export const RESULT_TEXT_CHARACTERS = 4_000;

/** Postgres holds no NUL character, so nothing that has one can be found. */
const text = (max: number) =>
  z
    .string()
    .trim()
    .max(max)
    .regex(/^[^\0]*$/, 'must not hold a NUL character');
const moment = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

export const QueryInput = z.object({
  query: text(2_000).min(1).describe('Words, "a phrase", -without, date words such as "last week"'),
  sources: z.array(z.enum(SOURCES)).min(1).max(SOURCES.length).optional(),
  content_types: z.array(z.enum(CONTENT_TYPES)).min(1).max(CONTENT_TYPES.length).optional(),
  from: moment.optional().describe('First moment, ISO 8601; a date means its first moment in UTC'),
  to: moment.optional().describe('A moment is excluded; a date means until its end in UTC'),
  author: text(500).min(1).optional().describe('Exactly as results show it'),
  limit: z.coerce.number().int().min(1).max(100).default(10),
  cursor: z.string().max(500).optional().describe('`next_cursor` of the page before, with all else equal'),
  mode: z.enum(SEARCH_MODES).default('hybrid'),
});
export type QueryInput = z.output<typeof QueryInput>;

export const SearchResult = z.object({
  id: z.uuid(),
  source_type: z.enum(SOURCES),
  content_type: z.enum(CONTENT_TYPES),
  title: z.string().nullable(),
  text: z.string(),
  /** Safe HTML: parts that matched stand in <mark>, all else is escaped. */
  highlights: z.string(),
  /** Higher is better; comparable within one answer only. */
  score: z.number(),
  author: z.string().nullable(),
  occurred_at: z.iso.datetime().nullable(),
  url: z.string().nullable(),
  links: z.object({ record: z.string(), file: z.string().nullable() }),
});
export type SearchResult = z.output<typeof SearchResult>;

/** What date words were understood as. `to` is excluded. */
export const Interpreted = z.object({
  text: z.string(),
  from: z.iso.datetime().nullable(),
  to: z.iso.datetime().nullable(),
  phrase: z.string(),
});
export type Interpreted = z.output<typeof Interpreted>;

export const QueryOutput = z.object({
  query_id: z.uuid(),
  results: z.array(SearchResult),
  /** Results in this answer. */
  result_count: z.int(),
  /** Results that paging can reach. */
  total: z.int(),
  /** False where more matched than were ranked. */
  total_is_exact: z.boolean(),
  next_cursor: z.string().nullable(),
  response_time_ms: z.number(),
  cache_hit: z.boolean(),
  /** The mode that answered; `notice` says why when it is not the one asked for. */
  mode: z.enum(SEARCH_MODES),
  notice: z.string().nullable(),
  interpreted: Interpreted.nullable(),
});
export type QueryOutput = z.output<typeof QueryOutput>;

export const SuggestionsInput = z.object({ q: text(200).default('') });
export const SuggestionsOutput = z.object({ suggestions: z.array(z.string()).max(5) });

export const RecordInput = z.object({ record_id: z.uuid() });
