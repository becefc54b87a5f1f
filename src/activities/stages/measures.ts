/** Measures and orders as SQL whose result does not depend on how threads shared the rows. */
import type { Measure, SortKey } from '../../schema/stages/common.ts';
import type { Column } from './job.ts';
import { name } from './quote.ts';

const FLOATING = /^(FLOAT|DOUBLE)/;
export const NUMERIC =
  /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT|UHUGEINT|FLOAT|DOUBLE|DECIMAL)/;
export const TEMPORAL = /^(DATE|TIMESTAMP)/;

const FUNCTIONS: Record<Exclude<Measure['function'], 'count' | 'count_distinct' | 'first' | 'last'>, string> = {
  sum: 'sum',
  avg: 'avg',
  min: 'min',
  max: 'max',
  median: 'median',
  stddev: 'stddev_samp',
  variance: 'var_samp',
};

/** `position`: the column that says which row comes first. */
export function measureSql(measure: Measure, columns: readonly Column[], position: string): string {
  const { function: wanted } = measure;
  if (measure.column === undefined) return 'count(*)';
  const column = name(measure.column);
  if (wanted === 'count') return `count(${column})`;
  if (wanted === 'count_distinct') return `count(DISTINCT ${column})`;
  if (wanted === 'first') return `first(${column} ORDER BY ${position})`;
  if (wanted === 'last') return `last(${column} ORDER BY ${position})`;
  const type = columns.find((known) => known.name.toLowerCase() === measure.column?.toLowerCase())?.type ?? '';
  // Sums of floating numbers depend on their order; sums of whole and decimal numbers do not.
  const floating =
    wanted === 'stddev' || wanted === 'variance' || ((wanted === 'sum' || wanted === 'avg') && FLOATING.test(type));
  return `${FUNCTIONS[wanted]}(${column}${floating ? ` ORDER BY ${column}` : ''})`;
}

export function orderBy(keys: readonly SortKey[]): string {
  return keys
    .map((key) => {
      const { column, descending, nulls } =
        typeof key === 'string' ? { column: key, descending: false, nulls: undefined } : key;
      return `${name(column)} ${descending ? 'DESC' : 'ASC'} NULLS ${nulls === 'first' ? 'FIRST' : 'LAST'}`;
    })
    .join(', ');
}
