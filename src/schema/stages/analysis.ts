/** Configuration of `analysis`: what is measured. Without any, every column is profiled. */
import { z } from 'zod';
import { Column, Columns, Measures, standAlone } from './common.ts';

export const AnalysisConfig = z.strictObject({
  ...standAlone,
  /** Count, nulls, distinct, least, greatest, mean, deviation and most frequent values of each column. */
  profile: z
    .union([z.boolean(), z.strictObject({ columns: Columns.optional(), top: z.int().min(0).max(100).default(5) })])
    .default(true),
  quantiles: z
    .union([
      z.boolean(),
      z.strictObject({
        columns: Columns.optional(),
        points: z.array(z.number().min(0).max(1)).min(1).max(100).optional(),
      }),
    ])
    .default(false),
  /** Pearson's, of each pair of numeric columns. */
  correlations: z.union([z.boolean(), z.strictObject({ columns: Columns.min(2).max(50) })]).default(false),
  groups: z
    .array(
      z.strictObject({
        by: Columns.max(20),
        measures: Measures.optional(),
        /** Groups that are kept, the largest first. */
        limit: z.int().min(1).max(10_000).default(100),
      }),
    )
    .max(50)
    .optional(),
  outliers: z
    .union([
      z.boolean(),
      z.strictObject({
        columns: Columns.optional(),
        method: z.enum(['iqr', 'zscore']).default('iqr'),
        /** Of the interquartile range (1.5), or of the standard deviation (3). */
        factor: z.number().positive().max(1_000).optional(),
        /** Rows kept as examples, a column. */
        examples: z.int().min(0).max(1_000).default(10),
      }),
    ])
    .default(false),
  time_series: z
    .array(
      z.strictObject({
        column: Column,
        bucket: z.enum(['hour', 'day', 'week', 'month', 'quarter', 'year']).default('day'),
        measures: Measures.optional(),
        limit: z.int().min(1).max(100_000).default(10_000),
      }),
    )
    .max(20)
    .optional(),
});
export type AnalysisConfig = z.output<typeof AnalysisConfig>;
