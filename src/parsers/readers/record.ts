/** The last check before a record leaves the parsers: it keeps the contract and Postgres can store it. */
import type { Json } from '../../schema/json.ts';
import { SOURCE_MAPPINGS, type Source } from '../../schema/names.ts';
import type { ParsedRecord } from '../../schema/records.ts';
import { RecordError } from '../contract.ts';

/** Far over any source's ids, and under what an index takes. */
const MAX_ID_CHARS = 1024;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/;
const MAX_METADATA_DEPTH = 1000;

/**
 * The record, with lone surrogates (half an emoji, left by cutting) replaced by U+FFFD wherever they stand. NULs are
 * reported, because text with them was never text. Numbers that JSON cannot hold become null, undefined is dropped.
 * Throws RecordError.
 */
export function checkRecord(record: ParsedRecord, source: Source, maxBytes: number): ParsedRecord {
  const allowed: readonly string[] = SOURCE_MAPPINGS[source].content_types;
  if (!allowed.includes(record.content_type)) throw new RecordError(`${record.content_type} is not of ${source}`);
  const checked: ParsedRecord = {
    external_id: id(record.external_id),
    content_type: record.content_type,
    title: optional(record.title, 'title'),
    text: string(record.text, 'text'),
    author: optional(record.author, 'author'),
    participants: record.participants.map((name) => string(name, 'participants')),
    occurred_at: time(record.occurred_at),
    url: optional(record.url, 'url'),
    parent_id: record.parent_id === null ? null : id(record.parent_id),
    metadata: {},
  };
  if (checked.text.trim() === '') throw new RecordError('holds no text');
  const metadata = clean(record.metadata, 0);
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new RecordError('metadata is not an object');
  }
  checked.metadata = metadata;
  if (sizeOf(checked.text) > maxBytes) throw new RecordError(`its text is over ${maxBytes} bytes`);
  return checked;
}

/** Text for messages and errors: storable and short. */
export function plain(text: string, max = 500): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  const clean = text.replace(/[\u0000-\u001f\u007f]+/g, ' ');
  return (clean.length > max ? `${clean.slice(0, max)}…` : clean).toWellFormed();
}

/** Bytes as UTF-8. */
function sizeOf(text: string): number {
  return Buffer.byteLength(text);
}

function id(value: unknown): string {
  const text = string(value, 'id');
  if (text === '') throw new RecordError('has no id');
  if (text.length > MAX_ID_CHARS) throw new RecordError('its id is too long');
  return text;
}

function optional(value: unknown, name: string): string | null {
  return value === null || value === undefined ? null : string(value, name);
}

function string(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new RecordError(`${name} is not text`);
  if (value.includes('\0')) throw new RecordError(`${name} holds a NUL character`);
  return value.isWellFormed() ? value : value.toWellFormed();
}

function time(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string' || !TIME.test(value) || Number.isNaN(Date.parse(value))) {
    throw new RecordError('occurred_at is not a time');
  }
  return value;
}

function clean(value: unknown, depth: number): Json {
  if (typeof value === 'string') return string(value, 'metadata');
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value === null || typeof value === 'boolean') return value;
  if (depth > MAX_METADATA_DEPTH) throw new RecordError('metadata is nested too deep');
  if (Array.isArray(value)) return value.map((item) => clean(item ?? null, depth + 1));
  if (typeof value !== 'object') throw new RecordError('metadata holds what JSON cannot');
  const out: { [key: string]: Json } = {};
  for (const [name, inner] of Object.entries(value)) {
    if (inner === undefined || name === '__proto__') continue;
    out[string(name, 'metadata')] = clean(inner, depth + 1);
  }
  return out;
}
