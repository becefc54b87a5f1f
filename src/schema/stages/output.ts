/** Configuration of `output`: files, a table, the search index, a report. Without any, one JSON file. */
import { z } from 'zod';
import { Column, Columns, FILE_FORMATS, Measure, SortKey, standAlone } from './common.ts';
import { IndexTarget } from './processing.ts';

const FileName = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be letters, digits, dot, dash and underscore');

const FileOutput = z.strictObject({
  format: z.enum(FILE_FORMATS),
  /** File name; `output.<format>` when absent. */
  name: FileName.optional(),
  /** Object key below `outputs/<owner>/`, besides the run's own artifact. */
  key: z
    .string()
    .max(500)
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/,
      'must be an object key without . and .. parts',
    )
    .optional(),
  columns: Columns.optional(),
  sort: z.array(SortKey).min(1).max(100).optional(),
  delimiter: z.string().length(1).optional(),
  header: z.boolean().optional(),
});
export type FileOutput = z.output<typeof FileOutput>;

const Identifier = z
  .string()
  .max(63)
  .regex(/^[a-z_][a-z0-9_]*$/, 'must be lower-case letters, digits and underscores');

const TableOutput = z
  .strictObject({
    /** In the schema `pipeline_output`. */
    name: Identifier,
    mode: z.enum(['replace', 'append', 'upsert']).default('replace'),
    /** What tells rows apart, for `upsert`. */
    key: Columns.optional(),
  })
  .refine((table) => table.mode !== 'upsert' || table.key !== undefined, {
    message: 'upsert needs a key',
    path: ['key'],
  });
export type TableOutput = z.output<typeof TableOutput>;

const Chart = z.strictObject({
  type: z.enum(['bar', 'line', 'histogram', 'scatter']),
  title: z.string().max(200).optional(),
  /** Groups of a bar or line; the values of a histogram; the horizontal of a scatter. */
  x: Column,
  /** What a bar or line shows: a measure, or the sum of a column; rows are counted when absent. A scatter needs a column. */
  y: z.union([Column, Measure]).optional(),
  /** Bars, points or bins that are drawn at most. */
  limit: z.int().min(1).max(1_000).default(30),
});
export type Chart = z.output<typeof Chart>;

const ReportOutput = z.strictObject({
  title: z.string().min(1).max(200).default('Report'),
  description: z.string().max(10_000).optional(),
  name: FileName.default('report.html'),
  /** Chosen by the columns' types when absent. */
  charts: z.array(Chart).max(50).optional(),
  /** First rows that are shown as a table. */
  rows: z.int().min(0).max(1_000).default(20),
});
export type ReportOutput = z.output<typeof ReportOutput>;

export const OutputConfig = z
  .strictObject({
    ...standAlone,
    /** Short for one file. */
    format: z.enum(FILE_FORMATS).optional(),
    name: FileName.optional(),
    key: FileOutput.shape.key,
    files: z.array(FileOutput).min(1).max(20).optional(),
    table: TableOutput.optional(),
    index: IndexTarget.optional(),
    report: z.union([z.literal(true), ReportOutput]).optional(),
  })
  .superRefine((config, context) => {
    if (
      config.files !== undefined &&
      (config.format !== undefined || config.name !== undefined || config.key !== undefined)
    ) {
      context.addIssue({ code: 'custom', message: 'either files, or format, name and key of one file' });
    }
  });
export type OutputConfig = z.output<typeof OutputConfig>;
export { ReportOutput as ReportSettings };
