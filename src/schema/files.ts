/** Wire contracts of files: what ingestion takes and gives. */
import { z } from 'zod';
import { CONTENT_TYPES, FILE_STATUSES, PHASES, SOURCES } from './names.ts';

export const Metadata = z
  .record(z.string().max(200), z.json())
  .refine((value) => JSON.stringify(value).length <= 16_384, { message: 'must be at most 16 KiB as JSON' });

export const EntryErrorView = z.object({
  entry: z.string(),
  line: z.int().nullable(),
  message: z.string(),
});

export const FailureView = z.object({ code: z.string(), detail: z.string() });

export const FileView = z.object({
  file_id: z.uuid(),
  workflow_id: z.string(),
  filename: z.string(),
  source_type: z.enum(SOURCES),
  size_bytes: z.int(),
  sha256: z.string(),
  metadata: z.record(z.string(), z.json()),
  status: z.enum(FILE_STATUSES),
  phase: z.enum(PHASES),
  progress: z.int().min(0).max(100),
  total_records: z.int(),
  records_by_type: z.record(z.string(), z.int()),
  vector_count: z.int(),
  error_count: z.int(),
  errors: z.array(EntryErrorView),
  error: FailureView.nullable(),
  created_at: z.iso.datetime(),
  started_at: z.iso.datetime().nullable(),
  completed_at: z.iso.datetime().nullable(),
});
export type FileView = z.output<typeof FileView>;

export const FileLinks = z.object({ self: z.string(), records: z.string(), events: z.string(), workflow: z.string() });

export function fileLinks(file: { file_id: string; workflow_id: string }): z.output<typeof FileLinks> {
  return {
    self: `/api/v1/files/${file.file_id}`,
    records: `/api/v1/files/${file.file_id}/records`,
    events: `/api/v1/events?file_id=${file.file_id}`,
    workflow: `/api/v1/workflows/${file.workflow_id}`,
  };
}

export const FileAccepted = z.object({
  file_id: z.uuid(),
  workflow_id: z.string(),
  status: z.enum(FILE_STATUSES),
  /** The same bytes were here already; this is that file. */
  duplicate: z.boolean(),
  links: FileLinks,
  /** The file as it is when the work is over; absent in the answer that only accepts it. */
  file: FileView.optional(),
});
export type FileAccepted = z.output<typeof FileAccepted>;

export const RecordView = z.object({
  id: z.uuid(),
  source_type: z.enum(SOURCES),
  content_type: z.enum(CONTENT_TYPES),
  external_id: z.string(),
  account: z.string(),
  parent_id: z.string().nullable(),
  title: z.string().nullable(),
  text: z.string(),
  author: z.string().nullable(),
  participants: z.array(z.string()),
  occurred_at: z.iso.datetime().nullable(),
  url: z.string().nullable(),
  metadata: z.record(z.string(), z.json()),
});
export type RecordView = z.output<typeof RecordView>;

export const PageQuery = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(500).optional(),
};

/** A page of a list: `next_cursor` is null at the end, `truncated` says that more follows. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable(), truncated: z.boolean() });
}
