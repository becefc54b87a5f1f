/** Configuration of `data-ingestion`: where data comes from and how it is to be read. */
import { z } from 'zod';
import { CONTENT_TYPES, SOURCES } from '../names.ts';
import { byColumn, Column, FILE_FORMATS, SourceAddress, standAlone, TypeName } from './common.ts';

const moment = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

/** `jsonl` and `tsv` are what some call NDJSON, and CSV with tabs. */
const Format = z.enum([...FILE_FORMATS, 'jsonl', 'tsv']);

export const Reading = z.strictObject({
  /** Told by extension and content when absent. */
  format: Format.optional(),
  /** CSV. Found out when absent. */
  delimiter: z.string().min(1).max(4).optional(),
  /** CSV: whether the first line names the columns. Found out when absent. */
  header: z.boolean().optional(),
  quote: z.string().max(1).optional(),
  escape: z.string().max(1).optional(),
  /** CSV: texts that stand for nothing there. */
  null_strings: z.array(z.string().max(100)).min(1).max(20).optional(),
  encoding: z.enum(['utf-8', 'latin-1', 'utf-16']).optional(),
  /** Types by column; what is not named is found out. */
  schema: byColumn(TypeName).optional(),
  /** CSV: everything is text unless `schema` says otherwise. */
  all_text: z.boolean().optional(),
});

export const IngestionConfig = Reading.extend({
  source: SourceAddress.optional(),
  sources: z.array(SourceAddress).min(1).max(1_000).optional(),
  ...standAlone,
  rows: z
    .array(z.record(z.string().min(1).max(200), z.json()))
    .max(10_000)
    .optional(),
  records: z
    .strictObject({
      sources: z.array(z.enum(SOURCES)).min(1).optional(),
      content_types: z.array(z.enum(CONTENT_TYPES)).min(1).optional(),
      from: moment.optional(),
      to: moment.optional(),
      limit: z.int().min(1).max(10_000_000).optional(),
    })
    .optional(),
  /** `skip`: rows that cannot be read are counted and kept aside. */
  on_error: z.enum(['fail', 'skip']).default('fail'),
  /** With `skip`: more than these fail all the same. */
  max_rejects: z.int().min(0).max(1_000_000_000).optional(),
  /** Adds a column of this name with the name of the file a row came from. */
  filename_column: Column.optional(),
}).superRefine((config, context) => {
  const given = ['source', 'sources', 'data_source', 'rows', 'records'].filter(
    (name) => config[name as keyof typeof config] !== undefined,
  );
  if (given.length > 1) {
    context.addIssue({ code: 'custom', message: `only one of ${given.join(', ')} can be the source` });
  }
});
export type IngestionConfig = z.output<typeof IngestionConfig>;
export type Reading = z.output<typeof Reading>;
