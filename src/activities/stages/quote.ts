/** Names and values as SQL text. */

export function name(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

export function names(list: readonly string[]): string {
  return list.map(name).join(', ');
}

export function literal(value: string | number | boolean | null): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === 'number') return Number.isInteger(value) ? value.toFixed(0) : `${value}::DOUBLE`;
  return String(value);
}

export function list(values: readonly (string | number | boolean)[]): string {
  return `[${values.map(literal).join(', ')}]`;
}

/** Anything in parentheses, on lines of its own so that a trailing comment ends before the parenthesis. */
export function paren(sql: string): string {
  return `(\n${sql}\n)`;
}
