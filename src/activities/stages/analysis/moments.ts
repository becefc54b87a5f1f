/** Means, deviations and correlations that come out the same to the last bit however many threads took part. */
import type { Row } from '../engine/messages.ts';
import type { Session } from '../engine/pool.ts';
import { POSITION } from '../job.ts';
import { name } from '../quote.ts';

/**
 * Rows are summed by the row groups of the file, each of which one thread reads in order; the few sums are joined here,
 * in order. `session` has one input at least.
 */
async function blockOf(session: Session): Promise<string> {
  const rows = await session.query('SELECT first_row FROM __row_groups ORDER BY first_row', { at: 'profile' });
  return branch(rows.map((row) => Number(row.first_row)));
}

/** Which group a position lies in, by halves: a thousand groups take ten comparisons. */
function branch(firsts: readonly number[], from = 0): string {
  if (firsts.length <= 1) return String(from);
  const half = Math.floor(firsts.length / 2);
  const later = branch(firsts.slice(half), from + half);
  return `CASE WHEN ${POSITION} < ${firsts[half]} THEN ${branch(firsts.slice(0, half), from)} ELSE ${later} END`;
}

export interface Moments {
  count: number;
  mean: number | null;
  /** Of the sample; null below two values. */
  stddev: number | null;
}

export async function momentsOf(session: Session, columns: readonly string[]): Promise<Map<string, Moments>> {
  if (columns.length === 0) return new Map();
  const parts = columns.flatMap((column, at) => {
    const value = finite(column);
    return [`count(${value}) AS n${at}`, `avg(${value}) AS m${at}`, `var_pop(${value}) AS v${at}`];
  });
  const rows = await session.query(
    `SELECT ${await blockOf(session)} AS block, ${parts.join(', ')} FROM __input GROUP BY block ORDER BY block`,
    { at: 'profile' },
  );
  return new Map(
    columns.map((column, at) => [
      column,
      merge(rows.map((row) => ({ n: Number(row[`n${at}`]), x: Number(row[`m${at}`]), xx: Number(row[`v${at}`]) }))),
    ]),
  );
}

function merge(blocks: { n: number; x: number; xx: number }[]): Moments {
  let count = 0;
  let mean = 0;
  let squares = 0;
  // Chan, Golub and LeVeque: two parts' means and squared deviations make the whole's.
  for (const { n, x, xx } of blocks) {
    if (n === 0) continue;
    const delta = x - mean;
    const total = count + n;
    squares += xx * n + (delta * delta * count * n) / total;
    mean += (delta * n) / total;
    count = total;
  }
  return { count, mean: count === 0 ? null : mean, stddev: count < 2 ? null : Math.sqrt(squares / (count - 1)) };
}

export interface Correlation {
  columns: [string, string];
  /** Rows that have both values. */
  count: number;
  coefficient: number | null;
}

/** Pearson's coefficient of each pair. */
export async function correlationsOf(session: Session, columns: readonly string[]): Promise<Correlation[]> {
  const pairs = columns.flatMap((a, at) => columns.slice(at + 1).map((b): [string, string] => [a, b]));
  if (pairs.length === 0) return [];
  const parts = pairs.flatMap(([a, b], at) => {
    const both = `${finite(b)}, ${finite(a)}`;
    return [
      `regr_count(${both}) AS n${at}`,
      `regr_avgx(${both}) AS x${at}`,
      `regr_avgy(${both}) AS y${at}`,
      `regr_sxx(${both}) AS xx${at}`,
      `regr_syy(${both}) AS yy${at}`,
      `regr_sxy(${both}) AS xy${at}`,
    ];
  });
  const rows = await session.query(
    `SELECT ${await blockOf(session)} AS block, ${parts.join(', ')} FROM __input GROUP BY block ORDER BY block`,
    { at: 'correlations' },
  );
  return pairs.map((pair, at) => ({ columns: pair, ...joined(rows, at) }));
}

function joined(rows: Row[], at: number): { count: number; coefficient: number | null } {
  const whole = { n: 0, x: 0, y: 0, xx: 0, yy: 0, xy: 0 };
  for (const row of rows) {
    const part = (key: string) => Number(row[`${key}${at}`] ?? 0);
    const n = part('n');
    if (n === 0) continue;
    const total = whole.n + n;
    const dx = part('x') - whole.x;
    const dy = part('y') - whole.y;
    const weight = (whole.n * n) / total;
    whole.xx += part('xx') + dx * dx * weight;
    whole.yy += part('yy') + dy * dy * weight;
    whole.xy += part('xy') + dx * dy * weight;
    whole.x += (dx * n) / total;
    whole.y += (dy * n) / total;
    whole.n = total;
  }
  const coefficient = whole.xy / Math.sqrt(whole.xx * whole.yy);
  return { count: whole.n, coefficient: Number.isFinite(coefficient) ? Math.max(-1, Math.min(1, coefficient)) : null };
}

/** Infinity and NaN have no mean. */
function finite(column: string): string {
  const value = `${name(column)}::DOUBLE`;
  return `CASE WHEN isfinite(${value}) THEN ${value} END`;
}
