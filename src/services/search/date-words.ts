/** Finds one date phrase in a query, takes it out of the text and says which time it limits the search to. */
import type { Span } from './calendar.ts';
import { MOMENT_PATTERN, type Moment, readMoment } from './moments.ts';

export interface DateWords {
  /** The query without the phrase; may be empty. */
  text: string;
  /** Inclusive and exclusive bounds in milliseconds since the epoch; null: open. */
  from: number | null;
  to: number | null;
  /** The words that were understood, as written. */
  phrase: string;
}

const EDGE = `(?<![\\p{L}\\p{N}_-])`;
const END = `(?:['’]s)?(?![\\p{L}\\p{N}_-])`;

const RANGE = new RegExp(
  `${EDGE}(between|from) (${MOMENT_PATTERN}) (and|to|until|till|through) (${MOMENT_PATTERN})${END}`,
  'giu',
);
const BOUND = new RegExp(
  `${EDGE}(?:(since|after|before|until|till|in|during|on|from|over|within|for|of)(?: the)? )?(${MOMENT_PATTERN})${END}`,
  'giu',
);

/** Prepositions that make a bare month, weekday or year a date. "for" and "of" do not: "the case for may". */
const DATING = new Set(['since', 'after', 'before', 'until', 'till', 'in', 'during', 'on']);

/** Resolves relative words against `now` (milliseconds) in UTC. Null when there is no date phrase outside quotes. */
export function readDateWords(query: string, now: number): DateWords | null {
  // Quoted text is searched as it stands: its characters are kept out of reach, its length is kept.
  const open = query.replace(/"[^"]*"?/g, (quoted) => '"'.repeat(quoted.length));
  for (const match of open.matchAll(RANGE)) {
    const first = readMoment(match[2] ?? '', now);
    const last = readMoment(match[4] ?? '', now);
    const paired = (match[1]?.toLowerCase() === 'between') === (match[3]?.toLowerCase() === 'and');
    if (!first || !last || !paired) continue;
    const span = { from: alignYear(first, last, match[2] ?? '').from, to: last.span.to };
    if (span.from < span.to) return taken(query, match, span);
  }
  for (const match of open.matchAll(BOUND)) {
    const preposition = match[1]?.toLowerCase() ?? null;
    const moment = readMoment(match[2] ?? '', now);
    if (!moment || !isDated(preposition, moment)) continue;
    return taken(query, match, boundsOf(preposition, moment.span));
  }
  return null;
}

function isDated(preposition: string | null, moment: Moment): boolean {
  if (moment.alone) return true;
  if (preposition === null) return false;
  return DATING.has(preposition) || (preposition === 'from' && !moment.maybeName);
}

function boundsOf(preposition: string | null, span: Span): { from: number | null; to: number | null } {
  switch (preposition) {
    case 'since':
      return { from: span.from, to: null };
    case 'after':
      return { from: span.to, to: null };
    case 'before':
      return { from: null, to: span.from };
    case 'until':
    case 'till':
      return { from: null, to: span.to };
    default:
      return span;
  }
}

/** "between January and March 2024" means January 2024: a first part without a year takes that of the last. */
function alignYear(first: Moment, last: Moment, text: string): Span {
  const year = new Date(last.span.from).getUTCFullYear();
  const own = new Date(first.span.from).getUTCFullYear();
  if (first.alone || own === year || !/[a-z]/i.test(text)) return first.span;
  const move = (at: number) => new Date(at).setUTCFullYear(new Date(at).getUTCFullYear() + year - own);
  const moved = { from: move(first.span.from), to: move(first.span.to) };
  return moved.from < last.span.to ? moved : first.span;
}

function taken(query: string, match: RegExpExecArray, bounds: { from: number | null; to: number | null }): DateWords {
  const phrase = query.slice(match.index, match.index + match[0].length);
  const rest = `${query.slice(0, match.index)} ${query.slice(match.index + match[0].length)}`;
  return {
    text: rest
      .replace(/\s+/g, ' ')
      .replace(/\s+([?!.,;:])/g, '$1')
      .replace(/^[\s?!.,;:]+/, '')
      .trim(),
    ...bounds,
    phrase,
  };
}
