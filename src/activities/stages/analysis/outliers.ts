/** Quantiles of numeric columns, and the values far from the rest. */
import type { JsonObject } from '../../../schema/json.ts';
import type { AnalysisConfig } from '../../../schema/stages/analysis.ts';
import type { Session } from '../engine/pool.ts';
import { POSITION } from '../job.ts';
import { list, literal, name } from '../quote.ts';
import { momentsOf } from './moments.ts';

export async function quantiles(
  session: Session,
  columns: readonly string[],
  points: readonly number[],
): Promise<JsonObject> {
  if (columns.length === 0) return {};
  const parts = columns.map((column, at) => `quantile_cont(${name(column)}::DOUBLE, ${list(points)}) AS q${at}`);
  const [row] = await session.query(`SELECT ${parts.join(', ')} FROM __input`, { at: 'quantiles' });
  return Object.fromEntries(
    columns.map((column, at) => {
      const values = row?.[`q${at}`];
      return [
        column,
        Object.fromEntries(
          points.map((point, i) => [String(point), Array.isArray(values) ? (values[i] ?? null) : null]),
        ),
      ];
    }),
  );
}

type Settings = Exclude<AnalysisConfig['outliers'], boolean>;

export async function outliers(
  session: Session,
  columns: readonly string[],
  settings: Settings,
): Promise<JsonObject[]> {
  const bounds =
    settings.method === 'iqr'
      ? await byQuartiles(session, columns, settings.factor ?? 1.5)
      : await byDeviation(session, columns, settings.factor ?? 3);
  const found: JsonObject[] = [];
  for (const column of columns) {
    const bound = bounds.get(column);
    if (!bound) {
      found.push({ column, method: settings.method, below: 0, above: 0, low: null, high: null, examples: [] });
      continue;
    }
    const value = `${name(column)}::DOUBLE`;
    const low = `${value} < ${literal(bound.low)}::DOUBLE`;
    const high = `${value} > ${literal(bound.high)}::DOUBLE`;
    const [counts] = await session.query(
      `SELECT count(*) FILTER (WHERE ${low}) AS below, count(*) FILTER (WHERE ${high}) AS above FROM __input`,
      { at: 'outliers' },
    );
    const examples = await session.query(
      `SELECT ${POSITION} + 1 AS row, ${value} AS value FROM __input WHERE ${low} OR ${high} ORDER BY ${POSITION} LIMIT ${settings.examples}`,
      { at: 'outliers' },
    );
    found.push({
      column,
      method: settings.method,
      low: bound.low,
      high: bound.high,
      below: Number(counts?.below ?? 0),
      above: Number(counts?.above ?? 0),
      examples: examples.map((row) => ({ row: Number(row.row), value: row.value ?? null })),
    });
  }
  return found;
}

type Bounds = Map<string, { low: number; high: number }>;

async function byQuartiles(session: Session, columns: readonly string[], factor: number): Promise<Bounds> {
  const found = await quantiles(session, columns, [0.25, 0.75]);
  const bounds: Bounds = new Map();
  for (const column of columns) {
    const quartiles = found[column] as Record<string, number | null>;
    const [lower, upper] = [quartiles['0.25'], quartiles['0.75']];
    if (typeof lower !== 'number' || typeof upper !== 'number') continue;
    bounds.set(column, { low: lower - factor * (upper - lower), high: upper + factor * (upper - lower) });
  }
  return bounds;
}

async function byDeviation(session: Session, columns: readonly string[], factor: number): Promise<Bounds> {
  const bounds: Bounds = new Map();
  for (const [column, { mean, stddev }] of await momentsOf(session, columns)) {
    if (mean !== null && stddev !== null)
      bounds.set(column, { low: mean - factor * stddev, high: mean + factor * stddev });
  }
  return bounds;
}
