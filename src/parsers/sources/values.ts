/** Tolerant readers of untrusted JSON values: wrong types read as absent, text comes out clean. */
import type { Json, JsonObject } from '../../schema/json.ts';
import { RecordError } from '../contract.ts';

export type Row = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function objects(value: unknown): Row[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** The value when it is text with something in it, trimmed by nothing. */
export function str(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Identifiers: numbers are accepted where exporters dropped the quotes. */
export function id(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() || null;
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : null;
}

export function num(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || value.trim() === '') return null;
  const parsed = Number(value);
  return Number.isFinite(parsed) ? parsed : null;
}

/**
 * Text that Postgres takes as text and as jsonb: lone surrogates (half an emoji, left by cutting) are replaced. Text
 * with NUL characters was never text: RecordError.
 */
export function clean(text: string): string {
  if (text.includes('\0')) throw new RecordError('holds a NUL character');
  return text.isWellFormed() ? text : text.toWellFormed();
}

const MAX_DEPTH = 12;

/** A JSON-safe copy: clean strings, finite numbers, empty and unknown values left out, bounded depth. */
function jsonSafe(value: unknown, depth = 0): Json | undefined {
  if (typeof value === 'string') return clean(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value === 'boolean') return value;
  if (depth >= MAX_DEPTH || typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    const list: Json[] = [];
    for (const element of value) {
      const safe = jsonSafe(element, depth + 1);
      if (safe !== undefined) list.push(safe);
    }
    return list;
  }
  return safeObject(value as Row, depth + 1);
}

export function safeObject(value: Row, depth = 0): JsonObject {
  const safe: JsonObject = {};
  for (const key in value) {
    if (key === '__proto__') continue;
    const element = jsonSafe(value[key], depth);
    if (element !== undefined && element !== '') safe[clean(key)] = element;
  }
  return safe;
}

/** Distinct names in their order of appearance. */
export function distinct(names: Iterable<string | null | undefined>): string[] {
  const seen = new Set<string>();
  for (const name of names) if (name) seen.add(name);
  return [...seen];
}

/** Lines that hold something, joined. */
export function lines(...parts: (string | null | undefined)[]): string {
  return parts.filter((part) => part !== null && part !== undefined && part.trim() !== '').join('\n');
}

/** `Label: value`, or null without a value. */
export function labelled(label: string, value: unknown): string | null {
  if (typeof value === 'number' || typeof value === 'boolean') return `${label}: ${value}`;
  const text = str(value);
  return text === null || text.trim() === '' ? null : `${label}: ${text}`;
}
