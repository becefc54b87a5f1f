/** Writes records as the text that Postgres' COPY reads, and hashes them on the way. */
import { hash } from 'node:crypto';
import type { ParsedRecord } from '../schema/records.ts';
import { recordId } from './ids.ts';

export interface RowOwner {
  owner: string;
  source: string;
  account: string;
}

export interface CopyRow {
  id: string;
  /** One line of COPY text for `COPY_COLUMNS` (stores/content.ts), with its newline. */
  line: string;
}

export function copyRow(record: ParsedRecord, owner: RowOwner): CopyRow {
  const id = recordId(owner.owner, owner.source, owner.account, record.content_type, record.external_id);
  const fields = [
    record.parent_id,
    record.title,
    record.text,
    record.author,
    arrayLiteral(record.participants),
    record.occurred_at,
    record.url,
    JSON.stringify(record.metadata),
  ];
  const contentHash = hash('md5', JSON.stringify(fields), 'hex');
  const head = `${id}\t${cell(owner.owner)}\t${owner.source}\t${cell(owner.account)}\t${record.content_type}\t${cell(record.external_id)}`;
  return { id, line: `${head}\t${fields.map(cell).join('\t')}\t${contentHash}\n` };
}

/** The batch as `loadBatch` wants it: by id, and of two records of one id the later, as two batches would have it. */
export function copyRows(records: readonly ParsedRecord[], owner: RowOwner): { text: string; ids: string[] } {
  const lines = new Map<string, string>();
  for (const record of records) {
    const { id, line } = copyRow(record, owner);
    lines.set(id, line);
  }
  const ids = [...lines.keys()].sort();
  return { text: ids.map((id) => lines.get(id)).join(''), ids };
}

const SPECIAL = /[\\\n\r\t]/;
const SPECIALS = /[\\\n\r\t]/g;
const ESCAPES: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** https://www.postgresql.org/docs/current/sql-copy.html, "Text Format". */
function cell(value: string | null): string {
  if (value === null) return '\\N';
  return SPECIAL.test(value) ? value.replace(SPECIALS, (character) => ESCAPES[character] ?? character) : value;
}

/** https://www.postgresql.org/docs/current/arrays.html, "Array Input": every element quoted. */
function arrayLiteral(values: string[]): string {
  if (values.length === 0) return '{}';
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}
