/** Times as exports write them, turned into ISO 8601 with Z. */

/** Years outside this range are misread numbers, not times. */
const FIRST = Date.UTC(1900, 0, 1);
const LAST = Date.UTC(2200, 0, 1);

const DAY = 86_400_000;
const TWO: readonly string[] = Array.from({ length: 60 }, (_unused, value) => String(value).padStart(2, '0'));

/** Exports are in order of time, so the last day's date serves the next thousands of records. */
let lastDay = Number.NaN;
let lastDate = '';

function isoFromMs(ms: number): string | null {
  if (!(ms >= FIRST && ms < LAST)) return null;
  const day = Math.floor(ms / DAY);
  if (day !== lastDay) {
    lastDate = new Date(day * DAY).toISOString().slice(0, 11);
    lastDay = day;
  }
  const rest = Math.floor(ms - day * DAY);
  const seconds = Math.floor(rest / 1000);
  const hour = TWO[Math.floor(seconds / 3600)];
  const minute = TWO[Math.floor(seconds / 60) % 60];
  return `${lastDate}${hour}:${minute}:${TWO[seconds % 60]}.${String(rest % 1000).padStart(3, '0')}Z`;
}

/** Seconds since 1970, as a number or as text with a fraction (Slack's `ts`). */
export function isoFromSeconds(value: unknown): string | null {
  const seconds = typeof value === 'number' ? value : typeof value === 'string' ? Number(value) : Number.NaN;
  return seconds > 0 ? isoFromMs(Math.floor(seconds * 1000 + 0.0005)) : null;
}

/** Milliseconds since 1970, as a number or as text (HubSpot's older exports). */
function isoFromMillis(value: unknown): string | null {
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? Number(value) : Number.NaN;
  return ms > 0 ? isoFromMs(ms) : null;
}

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?$/i;
const SLASHED = /^(\d{1,2})([/.])(\d{1,2})\2(\d{4})(?:,?\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AP]M)?)?$/i;

/**
 * A date or a time written as text; without a zone it is read as UTC. `3/7/2025` is read month first, as US
 * exports write it, unless the first number can only be a day; `7.3.2025` is read day first.
 */
export function isoFromText(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const text = value.trim();
  const iso = ISO.exec(text);
  if (iso) {
    const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = iso;
    const ms = utc(num(year), num(month), num(day), num(hour), num(minute), num(second), fraction);
    return ms === null ? null : isoFromMs(ms - offset(zone));
  }
  const slashed = SLASHED.exec(text);
  if (!slashed) return null;
  const [, first, separator, second, year, hour = '0', minute = '0', seconds = '0', half] = slashed;
  const dayFirst = separator === '.' || num(first) > 12;
  const [month, day] = dayFirst ? [num(second), num(first)] : [num(first), num(second)];
  const ms = utc(num(year), month, day, clock(num(hour), half), num(minute), num(seconds), '');
  return ms === null ? null : isoFromMs(ms);
}

/** Text or milliseconds, whichever it is. */
export function isoFromAny(value: unknown): string | null {
  if (typeof value === 'number') return value < 1e11 ? isoFromSeconds(value) : isoFromMillis(value);
  if (typeof value === 'string' && /^\d{12,14}$/.test(value)) return isoFromMillis(value);
  return isoFromText(value);
}

function num(text: string | undefined): number {
  return Number(text);
}

function clock(hour: number, half: string | undefined): number {
  if (half === undefined) return hour;
  return (hour % 12) + (half.toUpperCase() === 'PM' ? 12 : 0);
}

function offset(zone: string): number {
  if (zone.length < 5) return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) * 60_000;
}

function utc(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  fraction: string,
): number | null {
  if (year < 1900 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
    return null;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, Number(fraction.padEnd(3, '0').slice(0, 3)));
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day ? ms : null;
}
