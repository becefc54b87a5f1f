/** Measures by group, and over time. */
import type { JsonObject } from '../../../schema/json.ts';
import type { AnalysisConfig } from '../../../schema/stages/analysis.ts';
import type { Measure } from '../../../schema/stages/common.ts';
import type { Row } from '../engine/messages.ts';
import type { Session } from '../engine/pool.ts';
import { type Column, POSITION } from '../job.ts';
import { measureSql, TEMPORAL } from '../measures.ts';
import { name, names } from '../quote.ts';
import { shown } from './profile.ts';

type Group = NonNullable<AnalysisConfig['groups']>[number];
type Series = NonNullable<AnalysisConfig['time_series']>[number];

/** The largest groups first; equals by their keys. */
export async function groupBy(
  session: Session,
  group: Group,
  columns: readonly Column[],
  at: string,
): Promise<JsonObject> {
  const keys = names(group.by);
  const rows = await session.query(
    `SELECT ${keys}, count(*) AS "__count"${measured(group.measures, columns)} FROM __input GROUP BY ${keys} ORDER BY "__count" DESC, ${keys} LIMIT ${group.limit + 1}`,
    { at },
  );
  return {
    by: group.by,
    cut: rows.length > group.limit,
    groups: rows.slice(0, group.limit).map((row) => ({
      key: Object.fromEntries(group.by.map((key) => [key, shown(typeOf(columns, key), row[key])])),
      count: Number(row.__count),
      ...values(group.measures, row),
    })),
  };
}

export async function timeSeries(
  session: Session,
  series: Series,
  columns: readonly Column[],
  at: string,
): Promise<JsonObject> {
  const column = columns.find((known) => known.name.toLowerCase() === series.column.toLowerCase());
  const time = TEMPORAL.test(column?.type ?? '')
    ? name(series.column)
    : `TRY_CAST(${name(series.column)} AS TIMESTAMP)`;
  const rows = await session.query(
    `SELECT date_trunc('${series.bucket}', ${time})::VARCHAR AS "__bucket", count(*) AS "__count"${measured(series.measures, columns)}
     FROM __input WHERE ${time} IS NOT NULL GROUP BY "__bucket" ORDER BY "__bucket" LIMIT ${series.limit + 1}`,
    { at },
  );
  return {
    column: series.column,
    bucket: series.bucket,
    cut: rows.length > series.limit,
    points: rows
      .slice(0, series.limit)
      .map((row) => ({ from: row.__bucket ?? null, count: Number(row.__count), ...values(series.measures, row) })),
  };
}

type Measures = Record<string, Measure> | undefined;

function measured(measures: Measures, columns: readonly Column[]): string {
  return Object.entries(measures ?? {})
    .map(([as, measure]) => `, ${measureSql(measure, columns, POSITION)} AS ${name(as)}`)
    .join('');
}

function values(measures: Measures, row: Row): JsonObject {
  return Object.fromEntries(
    Object.entries(measures ?? {}).map(([as, { function: wanted }]) => {
      const value = row[as] ?? null;
      const counted = wanted !== 'min' && wanted !== 'max' && wanted !== 'first' && wanted !== 'last';
      return [as, counted && value !== null ? Number(value) : value];
    }),
  );
}

function typeOf(columns: readonly Column[], column: string): Pick<Column, 'type'> {
  return columns.find((known) => known.name.toLowerCase() === column.toLowerCase()) ?? { type: 'VARCHAR' };
}
