/** Configuration of `validation`: rules, and what becomes of rows that break them. */
import { z } from 'zod';
import { Column, Columns, Expression, Select, standAlone } from './common.ts';

const common = {
  /** Stands in results and reasons; made from type and column when absent. */
  name: z.string().min(1).max(200).optional(),
  /** Failing rows that are allowed: a share of all (0 to 1), or a count. None when absent. */
  threshold: z
    .union([
      z.number().min(0).max(1),
      z.strictObject({ share: z.number().min(0).max(1) }),
      z.strictObject({ count: z.int().min(0) }),
    ])
    .optional(),
  /** `warning`: counted and told, never failing the stage and never taking a row out. */
  severity: z.enum(['error', 'warning']).default('error'),
};
const bound = z.union([z.number(), z.string().min(1).max(100)]);
const scalar = z.union([z.string().max(10_000), z.number(), z.boolean()]);

const Rule = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('not_null'), column: Column.optional(), columns: Columns.optional(), ...common }),
  /** Every row whose key another row has too fails. */
  z.strictObject({ type: z.literal('unique'), column: Column.optional(), columns: Columns.optional(), ...common }),
  z.strictObject({
    type: z.literal('range'),
    column: Column,
    min: bound.optional(),
    max: bound.optional(),
    /** Whether the bounds themselves are allowed. */
    inclusive: z.boolean().default(true),
    ...common,
  }),
  /** A regular expression (RE2) that the whole value must match, or with `partial` a part of it. */
  z.strictObject({
    type: z.literal('pattern'),
    column: Column,
    pattern: z.string().min(1).max(2_000),
    partial: z.boolean().default(false),
    ...common,
  }),
  z.strictObject({ type: z.literal('set'), column: Column, values: z.array(scalar).min(1).max(10_000), ...common }),
  z.strictObject({
    type: z.literal('row_count'),
    min: z.int().min(0).optional(),
    max: z.int().min(0).optional(),
    name: common.name,
    severity: common.severity,
  }),
  /** The newest value of the column is not older than this, seen from `as_of` (now when absent). */
  z.strictObject({
    type: z.literal('freshness'),
    column: Column,
    max_age_seconds: z.number().positive(),
    as_of: z.union([z.iso.date(), z.iso.datetime({ offset: true })]).optional(),
    name: common.name,
    severity: common.severity,
  }),
  /** Each value occurs in a column of another stage's output; nulls pass. */
  z.strictObject({
    type: z.literal('foreign_key'),
    column: Column,
    references: z.strictObject({ stage: z.string().min(1).max(200), column: Column }),
    ...common,
  }),
  /** `expression`: true for rows that pass. `query`: a SELECT over the inputs whose rows are the faults. */
  z.strictObject({ type: z.literal('sql'), expression: Expression.optional(), query: Select.optional(), ...common }),
]);

const RuleChecked = Rule.superRefine((rule, context) => {
  const issue = (message: string) => context.addIssue({ code: 'custom', message });
  if (
    (rule.type === 'not_null' || rule.type === 'unique') &&
    (rule.column === undefined) === (rule.columns === undefined)
  ) {
    issue('needs either column or columns');
  }
  if ((rule.type === 'range' || rule.type === 'row_count') && rule.min === undefined && rule.max === undefined) {
    issue('needs min or max');
  }
  if (rule.type === 'sql' && (rule.expression === undefined) === (rule.query === undefined)) {
    issue('needs either expression or query');
  }
});

export const ValidationConfig = z.strictObject({
  ...standAlone,
  rules: z.array(RuleChecked).max(200).default([]),
  /** Which rows go on: those that pass every rule, or all. */
  keep: z.enum(['passing', 'all']).default('passing'),
  /** Failing rows that are kept aside at most. */
  max_rejects: z.int().min(0).max(10_000_000).default(100_000),
});
export type ValidationConfig = z.output<typeof ValidationConfig>;
export type ValidationRule = z.output<typeof RuleChecked>;
