/** Each step as a SELECT over the one before. Row order is carried along, so that threads never decide it. */
import { Failure } from '../../../schema/failures.ts';
import {
  STEP_ORDER,
  type TransformationConfig,
  type TransformationStep,
} from '../../../schema/stages/transformation.ts';
import type { Session } from '../engine/pool.ts';
import { describe, type Job, POSITION } from '../job.ts';
import { measureSql, orderBy } from '../measures.ts';
import { name, names, paren } from '../quote.ts';
import { joinSql } from './join.ts';
import { type Stand, same, visible } from './stand.ts';

export interface NumberedStep {
  /** Path in the configuration, with its dot: `steps.3.`, or nothing for steps by name. */
  path: string;
  step: TransformationStep;
}

export function stepsOf(config: TransformationConfig): NumberedStep[] {
  if (config.steps) return config.steps.map((step, at) => ({ path: `steps.${at}.`, step }));
  return STEP_ORDER.flatMap((key) => (config[key] === undefined ? [] : [{ path: '', step: { [key]: config[key] } }]));
}

/** The whole as one SELECT, without the position. Throws Failure that names the step. */
export async function planSteps(job: Job<unknown>, session: Session, steps: NumberedStep[]): Promise<string> {
  let sql = `SELECT * FROM __input`;
  let columns = await describe(session, sql, { at: 'input' });
  // A filter, a cast or a sum keep the order they find: only what mixes rows has to be put in order again.
  let mixed = false;
  for (const { path, step } of steps) {
    const [kind] = Object.keys(step);
    const at = `${path}${kind}`;
    const needs = needed(step);
    const missing = needs.filter((column) => !columns.some((known) => same(known.name, column)));
    if (missing.length > 0) {
      const known = visible(columns).join(', ');
      throw new Failure('invalid_input', `${at}: there is no column ${missing.join(', ')}; there are ${known}`);
    }
    const next = await stepSql(job, session, { sql, columns }, step, at);
    sql = next.sql;
    mixed = next.mixes ?? mixed;
    columns = await describe(session, sql, { at });
  }
  const ordered = mixed ? ` ORDER BY ${POSITION}` : '';
  return `SELECT * EXCLUDE (${POSITION}) FROM ${paren(sql)}${ordered}`;
}

interface Next {
  sql: string;
  /** Whether rows have to be put in order by position at the end; as before when absent. */
  mixes?: boolean;
}

async function stepSql(
  job: Job<unknown>,
  session: Session,
  from: Stand,
  step: TransformationStep,
  at: string,
): Promise<Next> {
  const table = paren(from.sql);
  if (step.select) return { sql: `SELECT ${names(step.select)}, ${POSITION} FROM ${table}` };
  if (step.rename) {
    const renamed = Object.entries(step.rename).map(([old, fresh]) => `${name(old)} AS ${name(fresh)}`);
    return { sql: `SELECT * RENAME (${renamed.join(', ')}) FROM ${table}` };
  }
  if (step.cast) {
    const casts = Object.entries(step.cast).map(([column, to]) => {
      const { type, on_error } = typeof to === 'string' ? { type: to, on_error: 'fail' } : to;
      return `${on_error === 'null' ? 'TRY_CAST' : 'CAST'}(${name(column)} AS ${type}) AS ${name(column)}`;
    });
    return { sql: `SELECT * REPLACE (${casts.join(', ')}) FROM ${table}` };
  }
  if (step.derive) return { sql: deriveSql(from, step.derive) };
  if (step.filter !== undefined) return { sql: `SELECT * FROM ${table} WHERE ${paren(step.filter)}` };
  if (step.deduplicate) return { sql: deduplicateSql(from, step.deduplicate), mixes: true };
  if (step.join) return { sql: await joinSql(job, session, from, step.join, at), mixes: true };
  if (step.aggregate) {
    const { group_by, measures } = step.aggregate;
    const measured = Object.entries(measures).map(
      ([as, measure]) => `${measureSql(measure, from.columns, POSITION)} AS ${name(as)}`,
    );
    const keys = names(group_by);
    const grouped = `SELECT ${[keys, ...measured].filter(Boolean).join(', ')} FROM ${table}${keys ? ` GROUP BY ${keys}` : ''}`;
    const order = keys ? `ORDER BY ${group_by.map((key) => `${name(key)} NULLS LAST`).join(', ')}` : '';
    return { sql: `SELECT *, row_number() OVER (${order}) AS ${POSITION} FROM ${paren(grouped)}`, mixes: true };
  }
  if (step.sort) {
    const order = `${orderBy(step.sort)}, ${POSITION}`;
    return {
      sql: `SELECT * EXCLUDE (${POSITION}), row_number() OVER (ORDER BY ${order}) AS ${POSITION} FROM ${table}`,
      mixes: true,
    };
  }
  return { sql: `SELECT * FROM ${table} ORDER BY ${POSITION} LIMIT ${step.limit ?? 0}`, mixes: true };
}

/** Existing columns are replaced in their place, new ones follow. */
function deriveSql(from: Stand, derive: Record<string, string>): string {
  const entries = Object.entries(derive).map(([column, sql]) => ({ column, sql: `${paren(sql)} AS ${name(column)}` }));
  const replaced = entries.filter(({ column }) => from.columns.some((known) => same(known.name, column)));
  const added = entries.filter((entry) => !replaced.includes(entry));
  const all = replaced.length > 0 ? `* REPLACE (${replaced.map(({ sql }) => sql).join(', ')})` : '*';
  return `SELECT ${[all, ...added.map(({ sql }) => sql)].join(', ')} FROM ${paren(from.sql)}`;
}

function deduplicateSql(from: Stand, how: NonNullable<TransformationStep['deduplicate']>): string {
  const { keys, order } = how === true ? {} : how;
  const by = names(keys ?? visible(from.columns));
  const first = [order ? orderBy(order) : '', POSITION].filter(Boolean).join(', ');
  return `SELECT * FROM ${paren(from.sql)} QUALIFY row_number() OVER (PARTITION BY ${by} ORDER BY ${first}) = 1`;
}

/** Columns that a step names and its input must have. */
function needed(step: TransformationStep): string[] {
  const sorted = (keys: NonNullable<TransformationStep['sort']>) =>
    keys.map((key) => (typeof key === 'string' ? key : key.column));
  if (step.select) return step.select;
  if (step.rename) return Object.keys(step.rename);
  if (step.cast) return Object.keys(step.cast);
  if (step.sort) return sorted(step.sort);
  if (step.aggregate) {
    const measured = Object.values(step.aggregate.measures).flatMap(({ column }) =>
      column === undefined ? [] : [column],
    );
    return [...step.aggregate.group_by, ...measured];
  }
  if (step.deduplicate && step.deduplicate !== true) {
    return [...(step.deduplicate.keys ?? []), ...sorted(step.deduplicate.order ?? [])];
  }
  return [];
}
