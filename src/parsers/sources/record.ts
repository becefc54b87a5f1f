/** The one place where parsers make a record, so that what leaves them always keeps the output contract. */
import type { ContentType } from '../../schema/names.ts';
import type { ParsedRecord } from '../../schema/records.ts';
import { RecordError } from '../contract.ts';
import { clean, type Row, safeObject } from './values.ts';

export interface Draft {
  external_id: string;
  content_type: ContentType;
  text: string;
  title?: string | null;
  author?: string | null;
  participants?: string[];
  occurred_at?: string | null;
  url?: string | null;
  parent_id?: string | null;
  metadata?: Row;
}

/** Throws RecordError when the draft has no id or no text. */
export function record(draft: Draft): ParsedRecord {
  const text = clean(draft.text).trim();
  if (text === '') throw new RecordError(`${draft.content_type} without readable text`);
  const externalId = clean(draft.external_id);
  if (externalId === '') throw new RecordError(`${draft.content_type} without an id`);
  return {
    external_id: externalId,
    content_type: draft.content_type,
    title: optional(draft.title),
    text,
    author: optional(draft.author),
    participants: draft.participants === undefined ? [] : draft.participants.map(clean),
    occurred_at: draft.occurred_at ?? null,
    url: optional(draft.url),
    parent_id: optional(draft.parent_id),
    metadata: draft.metadata === undefined ? {} : safeObject(draft.metadata),
  };
}

function optional(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  return clean(text).trim() || null;
}
