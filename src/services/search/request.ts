/** What a search request comes down to: text, filter, page and mode, with one fingerprint for cache and cursor. */
import { createHash } from 'node:crypto';
import { visibleOwners } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import type { Principal } from '../../schema/principal.ts';
import type { Interpreted, QueryInput, SearchMode } from '../../schema/query.ts';
import type { ContentFilter } from '../../stores/search.ts';
import { readDateWords } from './date-words.ts';

export interface SearchRequest {
  /** Without date words; may be empty. */
  text: string;
  /** The text as compared: compatibility forms folded, lower case, single spaces. */
  normalized: string;
  filter: ContentFilter;
  mode: SearchMode;
  limit: number;
  offset: number;
  interpreted: Interpreted | null;
  /** Names everything that the ranking depends on, the page and the content aside. */
  fingerprint: string;
}

export function normalizeText(text: string): string {
  return text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
}

/**
 * Throws Failure('invalid_input') for an empty time range or a cursor of another query. Explicit `from` or `to` win
 * over date words, which leave the text all the same.
 */
export function readRequest(
  input: QueryInput,
  options: { principal: Principal; mode: SearchMode; embedder: string | null; now: number },
): SearchRequest {
  const words = readDateWords(input.query, options.now);
  const explicit = input.from !== undefined || input.to !== undefined;
  const from = explicit ? startOf(input.from) : dateOf(words?.from);
  const to = explicit ? endOf(input.to) : dateOf(words?.to);
  if (from && to && from >= to) throw new Failure('invalid_input', '`from` must be before `to`');
  const text = words ? words.text : input.query;
  const filter: ContentFilter = {
    owners: sorted(visibleOwners(options.principal)),
    sources: sorted(input.sources),
    contentTypes: sorted(input.content_types),
    author: input.author ?? null,
    from,
    to,
  };
  const normalized = normalizeText(text);
  const fingerprint = createHash('sha256')
    .update(JSON.stringify(['search-1', normalized, filter, options.mode, options.embedder]))
    .digest('base64url');
  return {
    text,
    normalized,
    filter,
    mode: options.mode,
    limit: input.limit,
    offset: input.cursor === undefined ? 0 : readCursor(input.cursor, fingerprint),
    interpreted: words && {
      text,
      from: from?.toISOString() ?? null,
      to: to?.toISOString() ?? null,
      phrase: words.phrase,
    },
    fingerprint,
  };
}

const CURSOR_NAME_LENGTH = 16;

export function writeCursor(request: SearchRequest, offset: number): string {
  return Buffer.from(`${offset}.${request.fingerprint.slice(0, CURSOR_NAME_LENGTH)}`).toString('base64url');
}

function readCursor(cursor: string, fingerprint: string): number {
  const [offset, name] = Buffer.from(cursor, 'base64url').toString().split('.');
  if (!/^\d{1,6}$/.test(offset ?? '') || name !== fingerprint.slice(0, CURSOR_NAME_LENGTH)) {
    throw new Failure('invalid_input', 'cursor: it belongs to another query');
  }
  return Number(offset);
}

function sorted<T extends string>(values: readonly T[] | null | undefined): T[] | null {
  return values ? [...new Set(values)].sort() : null;
}

function dateOf(at: number | null | undefined): Date | null {
  return at === null || at === undefined ? null : new Date(at);
}

function startOf(moment: string | undefined): Date | null {
  return moment === undefined ? null : new Date(moment);
}

/** A bare date lasts until its end. */
function endOf(moment: string | undefined): Date | null {
  if (moment === undefined) return null;
  const at = new Date(moment);
  if (moment.length === 'YYYY-MM-DD'.length) at.setUTCDate(at.getUTCDate() + 1);
  return at;
}
