/** Turns a filter to the SQL text that LanceDB takes, with every literal escaped. */
import type { VectorFilter } from '../contract.ts';

/**
 * The condition, `''` when nothing is filtered, or null when nothing can match (an empty list of allowed values).
 * LanceDB has no bound parameters; its dialect knows one escape inside a literal: the doubled quote.
 */
export function compileFilter(filter: VectorFilter): string | null {
  const lists = [
    ['owner', filter.owners],
    ['source', filter.sources],
    ['content_type', filter.content_types],
  ] as const;
  if (lists.some(([, values]) => values?.length === 0)) return null;
  const conditions = lists.flatMap(([column, values]) => (values ? [anyOf(column, values)] : []));
  if (filter.author !== undefined) conditions.push(`author = ${literal(filter.author)}`);
  if (filter.from !== undefined) conditions.push(`occurred_at >= ${whole(filter.from)}`);
  if (filter.to !== undefined) conditions.push(`occurred_at < ${whole(filter.to)}`);
  return conditions.join(' AND ');
}

/** `column = a` or `column IN (a, b)`. `values` must not be empty. */
export function anyOf(column: string, values: readonly string[]): string {
  const literals = values.map(literal);
  return literals.length === 1 ? `${column} = ${literals[0]}` : `${column} IN (${literals.join(', ')})`;
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** Bounds may be given with a fraction; the column holds whole milliseconds, so rounding up keeps both meanings. */
function whole(value: number): string {
  const bounded = Math.min(Math.max(Math.ceil(value), Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  return BigInt(bounded).toString();
}
