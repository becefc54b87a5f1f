/** Per column: how many values, which are missing, how many differ, least and greatest, mean, and the most frequent. */
import type { Json, JsonObject } from '../../../schema/json.ts';
import type { Session } from '../engine/pool.ts';
import type { Column } from '../job.ts';
import { NUMERIC, TEMPORAL } from '../measures.ts';
import { name } from '../quote.ts';
import { momentsOf } from './moments.ts';

const SCALAR = /^(BOOLEAN|VARCHAR|UUID|TIME|ENUM)/;
const MAX_VALUE = 200;

export const isNumeric = ({ type }: Column) => NUMERIC.test(type) && !type.endsWith(']');
const isScalar = (column: Column) =>
  isNumeric(column) || ((TEMPORAL.test(column.type) || SCALAR.test(column.type)) && !column.type.endsWith(']'));

export async function profile(session: Session, columns: readonly Column[], top: number): Promise<JsonObject[]> {
  const parts = columns.flatMap((column, at) => [
    `count(${name(column.name)}) AS n${at}`,
    ...(isScalar(column)
      ? [`min(${name(column.name)})::VARCHAR AS low${at}`, `max(${name(column.name)})::VARCHAR AS high${at}`]
      : []),
  ]);
  const [all] = await session.query(`SELECT count(*) AS total, ${parts.join(', ')} FROM __input`, { at: 'profile' });
  const total = Number(all?.total ?? 0);
  const moments = await momentsOf(
    session,
    columns.filter(isNumeric).map((column) => column.name),
  );
  const found: JsonObject[] = [];
  for (const [at, column] of columns.entries()) {
    const count = Number(all?.[`n${at}`] ?? 0);
    const entry: JsonObject = { column: column.name, type: column.type, count, nulls: total - count };
    if (isScalar(column)) {
      Object.assign(entry, await frequencies(session, column, top));
      entry.min = shown(column, all?.[`low${at}`]);
      entry.max = shown(column, all?.[`high${at}`]);
    }
    const moment = moments.get(column.name);
    if (moment) {
      entry.mean = moment.mean;
      entry.stddev = moment.stddev;
    }
    found.push(entry);
  }
  return found;
}

/** One grouping gives both how many values differ and which are most frequent. */
async function frequencies(session: Session, column: Column, top: number): Promise<JsonObject> {
  const value = name(column.name);
  const rows = await session.query(
    `WITH groups AS MATERIALIZED (SELECT ${value} AS value, count(*) AS count FROM __input WHERE ${value} IS NOT NULL GROUP BY value)
     SELECT value::VARCHAR AS value, count, (SELECT count(*) FROM groups) AS different FROM groups
     ORDER BY count DESC, groups.value LIMIT ${Math.max(1, top)}`,
    { at: 'profile' },
  );
  const values = rows.slice(0, top).map((row) => ({ value: shown(column, row.value), count: Number(row.count) }));
  // Where every value stands once, none is frequent.
  const frequent = values.some(({ count }) => count > 1) ? values : [];
  return { distinct: Number(rows[0]?.different ?? 0), top: frequent };
}

/** Numbers as numbers where JSON can hold them exactly enough, all else as text. */
export function shown(column: Pick<Column, 'type'>, value: Json | undefined): Json {
  if (value === null || value === undefined) return null;
  const text = String(value);
  if (column.type === 'BOOLEAN') return text === 'true';
  const number = Number(text);
  if (NUMERIC.test(column.type) && Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER)
    return number;
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}
