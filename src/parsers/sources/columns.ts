/** Columns and fields found by what they are called, whatever the case, spacing and punctuation. */
import { id, type Row, str } from './values.ts';

/** `Account Name`, `account.name` and `ACCOUNT_NAME` are one key. */
export function keyOf(title: string): string {
  return title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');
}

/** A row by normalised keys; the first of equal keys wins, unless it is empty. */
export type Fields = ReadonlyMap<string, string>;

export function fieldsOf(row: Row): Fields {
  const fields = new Map<string, string>();
  for (const title in row) {
    const value = scalar(row[title]);
    if (value === null) continue;
    const key = keyOf(title);
    if (!fields.has(key)) fields.set(key, value);
  }
  return fields;
}

export function pick(fields: Fields, ...keys: string[]): string | null {
  for (const key of keys) {
    const value = fields.get(key);
    if (value !== undefined) return value;
  }
  return null;
}

/** A cell as text; empty is absent. */
export function scalar(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() === '' ? null : value.trim();
  if (typeof value === 'boolean') return String(value);
  return id(value);
}

/** A field's name as a person would write it: `Annual_Revenue__c` and `annualRevenue` are `Annual Revenue`. */
export function humanised(name: string): string {
  return name
    .replace(/__[a-z]+$/i, '')
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/[_.\s]+/g, ' ')
    .trim()
    .replace(/^./, (first) => first.toUpperCase());
}

/** First and last name, or whichever there is. */
export function fullName(first: string | null, last: string | null): string | null {
  return [first, last].filter((part) => part !== null).join(' ') || null;
}

/** Several ids or names in one cell. */
export function listed(cell: string | null): string[] {
  return (cell ?? '')
    .split(/[;,\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** HTML of notes and mails as text. */
export function plain(html: string): string {
  if (!html.includes('<') && !html.includes('&')) return html;
  return html
    .replace(/<(?:style|script)\b[^>]*>[\s\S]*?<\/(?:style|script)>/gi, '')
    .replace(/<(?:br|\/p|\/div|\/li|\/h\d|\/tr)\b[^>]*>/gi, '\n')
    .replace(/<\/?[a-z][^<>]*>/gi, '')
    .replace(/&(amp|lt|gt|quot|nbsp|apos|#\d{1,7}|#x[\da-f]{1,6});/gi, (whole, name: string) => entity(name) ?? whole)
    .replace(/[ \t]+\n/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: ' ', apos: "'" };

function entity(name: string): string | null {
  if (!name.startsWith('#')) return str(NAMED[name.toLowerCase()]);
  const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : null;
}
