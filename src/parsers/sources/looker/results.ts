/**
 * Rows of query results: the formats json, json_detail, json_bi and csv.
 * https://cloud.google.com/looker/docs/reference/looker-api/latest/methods/Query/run_query
 *
 * A row has no id. It is made from the query (its id, else its field names) and what the row says, so the same row in
 * two exports of one query is one record, and two equal rows of one result are one record too.
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import { humanised, scalar } from '../columns.ts';
import { stableHash } from '../hash.ts';
import { stem } from '../paths.ts';
import { record } from '../record.ts';
import { isoFromText } from '../times.ts';
import { id, isObject, lines, objects, type Row, str } from '../values.ts';

export interface Source {
  entry: string;
  queryId: string | null;
  /** Labels by field name, when the result brings them. */
  labels: ReadonlyMap<string, string>;
}

/** Null for a row without a single value. */
export function rowRecord(row: Row, source: Source): ParsedRecord | null {
  const parts: string[] = [];
  const said: string[] = [];
  const values: Record<string, unknown> = {};
  let occurredAt: string | null = null;
  for (const name of Object.keys(row)) {
    const cell = cellOf(row[name]);
    if (cell === null) continue;
    parts.push(`${source.labels.get(name) ?? humanised(name)}: ${cell.shown}`);
    said.push(`${name}=${cell.raw}`);
    values[name] = cell.shown;
    occurredAt ??= dateOf(name, cell.raw);
  }
  if (parts.length === 0) return null;
  const query = source.queryId ?? Object.keys(row).sort().join(',');
  return record({
    external_id: `row:${stableHash(query, ...said.sort())}`,
    content_type: 'query_result',
    title: humanised(stem(source.entry).replaceAll('-', ' ')),
    text: parts.join('\n'),
    occurred_at: occurredAt,
    parent_id: null,
    metadata: { query_id: source.queryId, file: source.entry, values },
  });
}

interface Cell {
  /** As Looker renders it. */
  shown: string;
  raw: string;
}

/** A plain value, json_detail's `{value, rendered, links}`, or a pivoted measure: values by pivot key. */
function cellOf(value: unknown): Cell | null {
  if (!isObject(value)) {
    const text = Array.isArray(value) ? value.map(scalar).filter(Boolean).join(', ') || null : scalar(value);
    return text === null ? null : { shown: text, raw: text };
  }
  if ('value' in value || 'rendered' in value) {
    const raw = scalar(value.value);
    const shown = str(value.rendered) ?? raw;
    return shown === null ? null : { shown, raw: raw ?? shown };
  }
  const pivots: string[] = [];
  for (const key of Object.keys(value)) {
    const inner = isObject(value[key]) ? cellOf({ value: null, ...value[key] }) : cellOf(value[key]);
    if (inner !== null) pivots.push(`${key.replace(/\|FIELD\|/g, ' / ')} ${inner.shown}`);
  }
  const text = pivots.join('; ');
  return text === '' ? null : { shown: text, raw: text };
}

const MONTH = /^(\d{4})-(\d{2})$/;

/** The first date of a row says when it is about; a month counts from its first day. */
function dateOf(name: string, raw: string): string | null {
  if (!/date|time|day|week|month|quarter|year|_at\b/i.test(name)) return null;
  return isoFromText(MONTH.test(raw) ? `${raw}-01` : raw);
}

/** `fields` of json_detail: `{dimensions: [{name, label, …}], measures, table_calculations}`. */
export function labelsOf(fields: unknown): Map<string, string> {
  const labels = new Map<string, string>();
  if (!isObject(fields)) return labels;
  for (const kind of Object.keys(fields)) {
    for (const field of objects(fields[kind])) {
      const name = str(field.name);
      const label = str(field.label_short) ?? str(field.label);
      if (name !== null && label !== null) labels.set(name, label);
    }
  }
  return labels;
}

/** Text of a page of a dashboard's PDF. Identity is the document's title and the page's number. */
export function pageRecord(
  page: { number: number; pages: number; text: string; title: string },
  entry: string,
): ParsedRecord | null {
  if (page.text.trim() === '') return null;
  const title = page.title.trim() || stem(entry);
  return record({
    external_id: `pdf:${stableHash(title)}:${page.number}`,
    content_type: 'dashboard',
    title,
    text: lines(page.text.includes(title) ? null : title, page.text),
    metadata: { file: entry, page: page.number, pages: page.pages },
  });
}

export function queryIdOf(envelope: Row): string | null {
  return id(envelope.query_id) ?? (isObject(envelope.query) ? id(envelope.query.id) : null) ?? id(envelope.id);
}
