/** Configuration of `transformation`: SQL, or steps in order, or the same steps by name in a fixed order. */
import { z } from 'zod';
import { byColumn, Column, Columns, Expression, Measures, Select, SortKey, standAlone, TypeName } from './common.ts';

const Sort = z.array(SortKey).min(1).max(100);

const steps = {
  /** These columns only, in this order. */
  select: Columns,
  /** Old name to new. */
  rename: byColumn(Column),
  cast: byColumn(
    z.union([TypeName, z.strictObject({ type: TypeName, on_error: z.enum(['fail', 'null']).default('fail') })]),
  ),
  /** Column to expression; an existing column is replaced. */
  derive: byColumn(Expression),
  /** Rows for which this is true stay. */
  filter: Expression,
  /** Of rows with equal keys (all columns when absent) the first by `order` stays. */
  deduplicate: z.union([z.literal(true), z.strictObject({ keys: Columns.optional(), order: Sort.optional() })]),
  join: z.strictObject({
    /** Name of another stage this one depends on. */
    with: z.string().min(1).max(200),
    on: z.union([Columns, byColumn(Column)]),
    type: z.enum(['inner', 'left', 'right', 'full', 'semi', 'anti']).default('inner'),
    /** Columns to take from the other side; all but the keys when absent. */
    select: Columns.optional(),
    /** Put before names that both sides have. */
    prefix: z.string().min(1).max(100).default('right_'),
  }),
  aggregate: z.strictObject({ group_by: z.array(Column).max(100).default([]), measures: Measures }),
  sort: Sort,
  limit: z.int().min(0).max(1_000_000_000_000),
} as const;

/** In the order in which steps given by name are done. */
export const STEP_ORDER = [
  'join',
  'rename',
  'cast',
  'derive',
  'filter',
  'deduplicate',
  'aggregate',
  'sort',
  'select',
  'limit',
] as const satisfies readonly (keyof typeof steps)[];

const Steps = z.strictObject(steps).partial();
const Step = Steps.refine((step) => Object.keys(step).length === 1, { message: 'must be one step, by its name' });

export const TransformationConfig = Steps.extend({
  steps: z.array(Step).max(200).optional(),
  sql: Select.optional(),
  ...standAlone,
}).superRefine((config, context) => {
  const named = Object.keys(config).filter((key) => key in steps);
  const ways = [config.sql === undefined ? '' : 'sql', config.steps === undefined ? '' : 'steps', ...named].filter(
    Boolean,
  );
  if ((config.sql !== undefined || config.steps !== undefined) && ways.length > 1) {
    context.addIssue({
      code: 'custom',
      message: `either sql, or steps, or steps by name: here are ${ways.join(', ')}`,
    });
  }
});
export type TransformationConfig = z.output<typeof TransformationConfig>;
export type TransformationStep = z.output<typeof Step>;
