/** Pieces that the configurations of several stage types share. */
import { z } from 'zod';
import { sqlExpressionFault, sqlSelectFault } from './sql.ts';

/** A column: any name a table can carry, quoted wherever it is used. */
export const Column = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\0]*$/, 'must not hold a NUL character');
export const Columns = z.array(Column).min(1).max(1_000);

const MAX_SQL = 65_536;

/** One SELECT. The engine checks it again with its own parser before it runs. */
export const Select = z
  .string()
  .max(MAX_SQL)
  .superRefine((sql, context) => {
    const fault = sqlSelectFault(sql);
    if (fault) context.addIssue({ code: 'custom', message: fault });
  });

/** One SQL expression, such as `price * quantity`. */
export const Expression = z
  .string()
  .max(MAX_SQL)
  .superRefine((sql, context) => {
    const fault = sqlExpressionFault(sql);
    if (fault) context.addIssue({ code: 'custom', message: fault });
  });

/** A type as SQL writes it: `INTEGER`, `DECIMAL(18,2)`, `VARCHAR[]`, `TIMESTAMP WITH TIME ZONE`. */
export const TypeName = z
  .string()
  .max(100)
  .regex(/^[A-Za-z][A-Za-z0-9_ ]*(\(\s*\d{1,3}\s*(,\s*\d{1,3}\s*)?\))?(\s+WITH(OUT)?\s+TIME\s+ZONE)?(\[\d{0,4}\])*$/i, {
    message: 'must be the name of a type, such as INTEGER, DECIMAL(18,2) or VARCHAR[]',
  });

/** An object of at least one entry, by column. */
export const byColumn = <T extends z.ZodType>(value: T) =>
  z
    .record(Column, value)
    .refine((given) => Object.keys(given).length > 0, { message: 'must name at least one column' });

export const MEASURES = [
  'count',
  'count_distinct',
  'sum',
  'avg',
  'min',
  'max',
  'median',
  'stddev',
  'variance',
  'first',
  'last',
] as const;

/** What is computed over the rows of a group. Without a column, `count` counts rows. */
export const Measure = z
  .strictObject({ function: z.enum(MEASURES), column: Column.optional() })
  .refine((measure) => measure.function === 'count' || measure.column !== undefined, {
    message: 'needs a column',
    path: ['column'],
  });
export type Measure = z.output<typeof Measure>;
export const Measures = byColumn(Measure);

export const SortKey = z.union([
  Column,
  z.strictObject({
    column: Column,
    descending: z.boolean().default(false),
    nulls: z.enum(['first', 'last']).optional(),
  }),
]);
export type SortKey = z.output<typeof SortKey>;

/** File formats that are read and written. */
export const FILE_FORMATS = ['csv', 'json', 'ndjson', 'parquet'] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

/** `s3://bucket/key or prefix/`, `file:<file_id>`, an https address, or a key of the object store. */
export const SourceAddress = z
  .string()
  .min(1)
  .max(2_000)
  .regex(/^[^\0\n\r]*$/, 'must be one line')
  .superRefine((value, context) => {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(value)?.[1]?.toLowerCase();
    if (scheme !== undefined && !['s3', 'file', 'https', 'http'].includes(scheme)) {
      context.addIssue({
        code: 'custom',
        message: 'must be s3://bucket/key, file:<file_id>, https://… or an object key',
      });
    }
    if (scheme === 'file' && !/^file:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) {
      context.addIssue({ code: 'custom', message: 'must be file:<file_id>, with the id of an uploaded file' });
    }
  });

/**
 * What a task that stands alone may name: its data, which is read first as `data-ingestion` would, and in `parameters`
 * how (`format`, `delimiter`, …).
 */
export const standAlone = {
  data_source: SourceAddress.optional(),
  parameters: z.record(z.string(), z.json()).optional(),
};
