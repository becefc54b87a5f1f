/** Configuration of `processing`: what is done with each batch of rows, and how many at once. */
import { z } from 'zod';
import { CONTENT_TYPES, SOURCES } from '../names.ts';
import { Column, Columns, Select, standAlone } from './common.ts';

/** Rows of a text column as records that can be searched. */
export const IndexTarget = z.strictObject({
  text: Column,
  title: Column.optional(),
  /** Tells rows apart; a row of the same id replaces the older one. The text itself when absent. */
  id: z.union([Column, Columns]).optional(),
  author: Column.optional(),
  occurred_at: Column.optional(),
  url: Column.optional(),
  /** Kept beside the text. */
  metadata: z.array(Column).max(100).optional(),
  /** Under which source and type they are found. */
  source: z.enum(SOURCES).default('looker'),
  content_type: z.enum(CONTENT_TYPES).default('query_result'),
  /** Rows of one account replace each other; that of the pipeline's stage when absent. */
  account: z.string().min(1).max(200).optional(),
});
export type IndexTarget = z.output<typeof IndexTarget>;

export const ProcessingConfig = z
  .strictObject({
    ...standAlone,
    batch_size: z.int().min(1).max(10_000_000).optional(),
    parallel_workers: z.int().min(1).max(64).optional(),
    /** A SELECT over the view `batch`. */
    sql: Select.optional(),
    /** The vector of a text column, in a column of its own (`into`) or in the search index (`index`). */
    embed: z
      .strictObject({ column: Column, into: Column.optional(), index: IndexTarget.omit({ text: true }).optional() })
      .optional(),
    /** Each batch is a task for an agent, which gets its object's key and answers with rows. */
    agent: z
      .strictObject({
        capabilities: z.array(z.string().min(1).max(100)).max(20).optional(),
        /** Goes along with each task. */
        payload: z.record(z.string(), z.json()).optional(),
        format: z.enum(['ndjson', 'parquet']).default('ndjson'),
        retry_count: z.int().min(0).max(20).optional(),
        timeout: z.int().min(1).max(604_800).optional(),
      })
      .optional(),
  })
  .superRefine((config, context) => {
    const ways = (['sql', 'embed', 'agent'] as const).filter((way) => config[way] !== undefined);
    if (ways.length > 1)
      context.addIssue({ code: 'custom', message: `only one of ${ways.join(', ')} can be done with a batch` });
  });
export type ProcessingConfig = z.output<typeof ProcessingConfig>;
