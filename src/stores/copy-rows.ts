/** Writes records as the text that Postgres' COPY reads, and hashes them on the way. */
import { hash } from 'node:crypto';
import type { ParsedRecord } from '../schema/records.ts';
import { recordId } from './ids.ts';

export interface RowOwner {
  owner: string;
  source: string;
  account: string;
}

/** One line of COPY text for `COPY_COLUMNS` (stores/content.ts), with its newline. */
export function copyRow(record: ParsedRecord, ordinal: number, owner: RowOwner): string {
  const id = recordId(owner.owner, owner.source, owner.account, record.content_type, record.external_id);
  const metadata = JSON.stringify(record.metadata);
  const participants = arrayLiteral(record.participants);
  const fields = [
    record.parent_id,
    record.title,
    record.text,
    record.author,
    participants,
    record.occurred_at,
    record.url,
    metadata,
  ];
  const contentHash = hash('md5', JSON.stringify(fields), 'hex');
  return `${ordinal}\t${id}\t${cell(owner.account)}\t${record.content_type}\t${cell(record.external_id)}\t${fields.map(cell).join('\t')}\t${contentHash}\n`;
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
