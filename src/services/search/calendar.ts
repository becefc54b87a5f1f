/** Calendar arithmetic in UTC: spans of days, weeks, months, quarters and years in milliseconds since the epoch. */

/** `[from, to)`. */
export interface Span {
  from: number;
  to: number;
}

export type CalendarUnit = 'day' | 'week' | 'month' | 'quarter' | 'year';

const DAY = 86_400_000;

/** The unit that holds `at`, moved by `offset` units. Weeks start on Monday (ISO 8601). */
export function spanOf(unit: CalendarUnit, at: number, offset = 0): Span {
  const date = new Date(at);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  const day = Date.UTC(year, month, date.getUTCDate());
  switch (unit) {
    case 'day':
      return { from: day + offset * DAY, to: day + (offset + 1) * DAY };
    case 'week': {
      const monday = day - ((date.getUTCDay() + 6) % 7) * DAY + offset * 7 * DAY;
      return { from: monday, to: monday + 7 * DAY };
    }
    case 'month':
      return { from: Date.UTC(year, month + offset), to: Date.UTC(year, month + offset + 1) };
    case 'quarter': {
      const first = month - (month % 3) + offset * 3;
      return { from: Date.UTC(year, first), to: Date.UTC(year, first + 3) };
    }
    case 'year':
      return { from: Date.UTC(year + offset, 0), to: Date.UTC(year + offset + 1, 0) };
  }
}

/** Month (0–11) of `year`, or the latest one that has begun by `now`. */
export function monthSpan(month: number, year: number | null, now: number): Span {
  const current = new Date(now).getUTCFullYear();
  const chosen = year ?? (Date.UTC(current, month) <= now ? current : current - 1);
  return spanOf('month', Date.UTC(chosen, month));
}

/** Quarter (1–4) of `year`, or the latest one that has begun by `now`. */
export function quarterSpan(quarter: number, year: number | null, now: number): Span {
  const month = (quarter - 1) * 3;
  const current = new Date(now).getUTCFullYear();
  const chosen = year ?? (Date.UTC(current, month) <= now ? current : current - 1);
  return spanOf('quarter', Date.UTC(chosen, month));
}

/** The latest `weekday` (0 = Sunday) up to today, or before today when `strictlyBefore`. */
export function weekdaySpan(weekday: number, now: number, strictlyBefore: boolean): Span {
  const back = (new Date(now).getUTCDay() - weekday + 7) % 7;
  return spanOf('day', now, -(back === 0 && strictlyBefore ? 7 : back));
}

/** From the start of the day `count` units ago, open to the end of today. */
export function rollingSpan(unit: CalendarUnit, count: number, now: number): Span {
  const today = spanOf('day', now);
  const start = new Date(today.from);
  if (unit === 'day') start.setUTCDate(start.getUTCDate() - count);
  if (unit === 'week') start.setUTCDate(start.getUTCDate() - 7 * count);
  if (unit === 'month' || unit === 'quarter') {
    const months = unit === 'month' ? count : 3 * count;
    const day = start.getUTCDate();
    start.setUTCMonth(start.getUTCMonth() - months, 1);
    // 31 May less a month is 30 April, not 1 May.
    const last = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 0)).getUTCDate();
    start.setUTCDate(Math.min(day, last));
  }
  if (unit === 'year') start.setUTCFullYear(start.getUTCFullYear() - count);
  return { from: start.getTime(), to: today.to };
}
