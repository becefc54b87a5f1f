/** Expressions of time such as "last week", "March 2025" or "5 March": what each looks like and which span it means. */
import { strict } from 'chrono-node';
import { type CalendarUnit, monthSpan, quarterSpan, rollingSpan, type Span, spanOf, weekdaySpan } from './calendar.ts';

export interface Moment {
  span: Span;
  /** Whether it is plainly a date without a preposition before it. */
  alone: boolean;
  /** A month that is a person's name too: "from April" says who, not when. */
  maybeName: boolean;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
const NAMES_TOO = /^(jan|april|may|june|august)$/i;

const MONTH =
  'jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?';
const YEAR = '(?:19|20)\\d\\d';
const DAY = '\\d{1,2}(?:st|nd|rd|th)?';
const WEEKDAY = WEEKDAYS.join('|');
const COUNT = `\\d{1,3}|an?|${NUMBERS.slice(1).join('|')}`;
const UNIT = 'day|week|month|quarter|year';

type Read = (parts: string[], now: number) => Omit<Moment, 'maybeName'> | null;

/** Longer forms first: the first that matches at a place wins. */
const FORMS: [pattern: string, read: Read][] = [
  [`(?:the )?(?:last|past|previous) (${COUNT}) (${UNIT})s?`, ([count, unit], now) => rolling(count, unit, now)],
  [`(?:the )?past (${UNIT})`, ([unit], now) => rolling('1', unit, now)],
  [`(?:the )?(?:last|previous) (${UNIT})`, ([unit], now) => sure(spanOf(unitOf(unit), now, -1))],
  [`this (week|month|quarter|year)`, ([unit], now) => sure(spanOf(unitOf(unit), now))],
  [`last (${WEEKDAY})`, ([name], now) => sure(weekdaySpan(WEEKDAYS.indexOf(lower(name)), now, true))],
  [`last (${MONTH})`, ([name], now) => sure(beforeThisMonth(monthOf(name), now))],
  ['(yesterday|today)', ([word], now) => sure(spanOf('day', now, lower(word) === 'today' ? 0 : -1))],
  [`(${COUNT}) (${UNIT})s? ago`, ([count, unit], now) => sure(spanOf(unitOf(unit), now, -countOf(count)))],
  [`(${YEAR}-\\d\\d-\\d\\d)`, ([date]) => isoDay(date)],
  [`((?:${DAY}(?: of)? (?:${MONTH})|(?:${MONTH}) ${DAY}),? ${YEAR})`, ([text], now) => explicitDay(text, now, true)],
  [`(${DAY}(?: of)? (?:${MONTH})|(?:${MONTH}) ${DAY})`, ([text], now) => explicitDay(text, now, false)],
  [`(${MONTH}),? (?:of )?(${YEAR})`, ([name, year], now) => sure(monthSpan(monthOf(name), Number(year), now))],
  [`q([1-4]),? (?:of )?(${YEAR})`, ([quarter, year], now) => sure(quarterSpan(Number(quarter), Number(year), now))],
  ['q([1-4])', ([quarter], now) => unsure(quarterSpan(Number(quarter), null, now))],
  [`(${MONTH})`, ([name], now) => unsure(monthSpan(monthOf(name), null, now))],
  [`(${WEEKDAY})`, ([name], now) => unsure(weekdaySpan(WEEKDAYS.indexOf(lower(name)), now, false))],
  [`(${YEAR})`, ([year]) => unsure(spanOf('year', Date.UTC(Number(year), 0)))],
];

const COMPILED = FORMS.map(([pattern, read]) => ({ whole: new RegExp(`^(?:${pattern})$`, 'i'), read }));

/** Source of a regular expression, without groups of its own, that finds any such expression. */
export const MOMENT_PATTERN = `(?:${FORMS.map(([pattern]) => pattern.replace(/\((?!\?)/g, '(?:')).join('|')})`;

/** The span that `text` means, or null where it is no date after all (31 February). */
export function readMoment(text: string, now: number): Moment | null {
  const plain = text.replace(/\s+/g, ' ').trim();
  for (const { whole, read } of COMPILED) {
    const match = whole.exec(plain);
    if (!match) continue;
    const moment = read(match.slice(1), now);
    return moment && { ...moment, maybeName: NAMES_TOO.test(plain) };
  }
  return null;
}

const sure = (span: Span) => ({ span, alone: true });
const unsure = (span: Span) => ({ span, alone: false });
const lower = (text: string | undefined) => (text ?? '').toLowerCase();
const unitOf = (text: string | undefined) => lower(text) as CalendarUnit;
const monthOf = (text: string | undefined) => MONTHS.indexOf(lower(text).slice(0, 3));

function countOf(text: string | undefined): number {
  const word = lower(text);
  if (word === 'a' || word === 'an') return 1;
  const spelled = NUMBERS.indexOf(word);
  return spelled >= 0 ? spelled : Number(word);
}

function rolling(count: string | undefined, unit: string | undefined, now: number) {
  return sure(rollingSpan(unitOf(unit), countOf(count), now));
}

function beforeThisMonth(month: number, now: number): Span {
  const span = monthSpan(month, null, now);
  return span.to > now ? monthSpan(month, new Date(span.from).getUTCFullYear() - 1, now) : span;
}

function isoDay(text: string | undefined) {
  const at = Date.parse(`${text}T00:00:00Z`);
  // V8 refuses 2025-13-01 but rolls 2025-02-30 over into March.
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text) return null;
  return sure(spanOf('day', at));
}

/** A day by chrono's strict grammar; without a year it is the latest such day up to today. */
function explicitDay(text: string | undefined, now: number, withYear: boolean) {
  // A leap year stands in for the missing one, so that 29 February is read at all.
  const dated = withYear ? (text ?? '') : `${text} ${LEAP_YEAR}`;
  const start = strict.parse(dated, { instant: new Date(now), timezone: 0 })[0]?.start;
  const [year, month, day] = [start?.get('year'), start?.get('month'), start?.get('day')];
  if (!year || !month || !day) return null;
  let at = Date.UTC(year, month - 1, day);
  if (!withYear) {
    for (let chosen = new Date(now).getUTCFullYear(); ; chosen -= 1) {
      at = Date.UTC(chosen, month - 1, day);
      if (at <= now && new Date(at).getUTCDate() === day) break;
    }
  }
  return { span: spanOf('day', at), alone: withYear };
}

const LEAP_YEAR = 2024;
