/** Each rule as the SQL condition under which a row fails it, or as a check of the whole. */
import { Failure } from '../../../schema/failures.ts';
import type { DatasetRef } from '../../../schema/stages/contract.ts';
import type { ValidationRule } from '../../../schema/stages/validation.ts';
import type { Session } from '../engine/pool.ts';
import type { Job } from '../job.ts';
import { literal, name, names, paren } from '../quote.ts';

export interface CheckedRule {
  rule: ValidationRule;
  /** As results and reasons call it. */
  label: string;
  /** Path in the configuration. */
  at: string;
  /** True for rows that fail; null where the rule is about the whole. */
  fails: string | null;
}

/** Prepares what the conditions need and tries each one. Throws Failure that names the rule. */
export async function checkRules(
  job: Job<unknown>,
  session: Session,
  rules: readonly ValidationRule[],
  dataset: DatasetRef,
): Promise<CheckedRule[]> {
  const checked: CheckedRule[] = [];
  for (const [index, rule] of rules.entries()) {
    const at = `rules.${index}`;
    mustHave(dataset, columnsOf(rule), at);
    if (rule.type === 'pattern')
      await session.query(`SELECT regexp_matches('', ${literal(rule.pattern)})`, {
        at: `${at}.pattern`,
        code: 'invalid_input',
      });
    const fails = await condition(job, session, rule, index);
    if (fails !== null) await session.query(`DESCRIBE SELECT ${fails} FROM __input`, { at });
    checked.push({ rule, label: rule.name ?? labelOf(rule), at, fails });
  }
  return checked;
}

function columnsOf(rule: ValidationRule): string[] {
  if (rule.type === 'not_null' || rule.type === 'unique')
    return rule.columns ?? (rule.column === undefined ? [] : [rule.column]);
  return 'column' in rule && rule.column !== undefined ? [rule.column] : [];
}

function labelOf(rule: ValidationRule): string {
  const columns = columnsOf(rule).join(', ');
  return columns ? `${rule.type}(${columns})` : rule.type;
}

function mustHave(dataset: DatasetRef, wanted: readonly string[], at: string): void {
  const missing = wanted.filter(
    (column) => !dataset.columns.some((known) => known.name.toLowerCase() === column.toLowerCase()),
  );
  if (missing.length > 0) {
    throw new Failure(
      'invalid_input',
      `${at}: there is no column ${missing.join(', ')}; there are ${dataset.columns.map((known) => known.name).join(', ')}`,
    );
  }
}

/** Nothing passes every rule but `not_null` and `sql`: whether it may be missing is a question of its own. */
async function condition(
  job: Job<unknown>,
  session: Session,
  rule: ValidationRule,
  index: number,
): Promise<string | null> {
  switch (rule.type) {
    case 'not_null':
      return paren(
        columnsOf(rule)
          .map((column) => `${name(column)} IS NULL`)
          .join(' OR '),
      );
    case 'unique':
      return repeated(session, columnsOf(rule), index);
    case 'range':
      return rangeOf(rule);
    case 'pattern':
      return `NOT ${rule.partial ? 'regexp_matches' : 'regexp_full_match'}(${name(rule.column)}::VARCHAR, ${literal(rule.pattern)})`;
    case 'set':
      return `${name(rule.column)}::VARCHAR NOT IN (${rule.values.map((value) => literal(String(value))).join(', ')})`;
    case 'foreign_key':
      return `(${name(rule.column)} IS NOT NULL AND ${name(rule.column)} NOT IN (SELECT ${name(rule.references.column)} FROM ${name(referenced(job, rule, index))} WHERE ${name(rule.references.column)} IS NOT NULL))`;
    case 'sql':
      return rule.expression === undefined ? null : `${paren(rule.expression)} IS NOT TRUE`;
    default:
      return null;
  }
}

function rangeOf(rule: Extract<ValidationRule, { type: 'range' }>): string {
  const column = name(rule.column);
  const [below, above] = rule.inclusive ? ['<', '>'] : ['<=', '>='];
  const parts = [
    rule.min === undefined ? '' : `${column} ${below} ${literal(rule.min)}`,
    rule.max === undefined ? '' : `${column} ${above} ${literal(rule.max)}`,
  ];
  return `(${parts.filter(Boolean).join(' OR ')})`;
}

/** Keys that occur more than once go to a table, mostly an empty one; keys with a null are never equal. */
async function repeated(session: Session, columns: readonly string[], index: number): Promise<string> {
  const table = `__repeated_${index}`;
  const keys = names(columns);
  const present = columns.map((column) => `${name(column)} IS NOT NULL`).join(' AND ');
  await session.run(
    `CREATE TABLE ${table} AS SELECT ${keys} FROM __input WHERE ${present} GROUP BY ${keys} HAVING count(*) > 1`,
    { at: `rules.${index}` },
  );
  const [row] = await session.query(`SELECT count(*) AS n FROM ${table}`, { at: `rules.${index}` });
  if (Number(row?.n ?? 0) === 0) return 'false';
  const tuple = columns.length === 1 ? keys : `(${keys})`;
  return `(${present} AND ${tuple} IN (SELECT ${tuple} FROM ${table}))`;
}

function referenced(job: Job<unknown>, rule: Extract<ValidationRule, { type: 'foreign_key' }>, index: number): string {
  const { stage, column } = rule.references;
  const input = job.request.inputs.find((known) => known.name.toLowerCase() === stage.toLowerCase());
  if (!input) {
    const known = job.request.inputs.map((one) => one.name).join(', ');
    throw new Failure(
      'invalid_input',
      `rules.${index}.references.stage: ${stage} is no input of this stage; there are ${known}`,
    );
  }
  mustHave(input.dataset, [column], `rules.${index}.references`);
  return input.name;
}
