/** `validation`: counts what breaks the rules, keeps those rows aside with the reasons, and passes the others on. */
import { Failure } from '../../../schema/failures.ts';
import type { JsonObject } from '../../../schema/json.ts';
import type { ArtifactRef, DatasetRef, StageOutput } from '../../../schema/stages/contract.ts';
import type { ValidationConfig } from '../../../schema/stages/validation.ts';
import type { UserSql } from '../engine/messages.ts';
import type { Session } from '../engine/pool.ts';
import {
  type Job,
  mainInput,
  openSession,
  POSITION,
  writeDataset,
  writeTableArtifact,
  writeTextArtifact,
} from '../job.ts';
import { literal, name } from '../quote.ts';
import { type CheckedRule, checkRules } from './rules.ts';
import { wholeFailures } from './whole.ts';

const MAX_IN_SUMMARY = 50;

interface Result extends CheckedRule {
  failures: number;
  passed: boolean;
}

export async function validate(job: Job<ValidationConfig>): Promise<StageOutput> {
  const { config } = job;
  const dataset = mainInput(job);
  const session = await openSession(job, { userSql: userSqlOf(config) });
  try {
    job.progress(0.05, 'Checking');
    const rules = await checkRules(job, session, config.rules, dataset);
    const results = await count(session, rules, dataset.rows);
    job.progress(0.6, 'Checked');
    const artifacts: ArtifactRef[] = [await writeReport(job, dataset, results)];
    const broken = results.filter((result) => result.fails !== null && result.failures > 0);
    if (broken.length > 0) artifacts.push(await keepAside(job, session, broken));
    const failed = results.filter((result) => !result.passed && result.rule.severity === 'error');
    if (failed.length > 0) throw overThreshold(job, failed, dataset, broken.length > 0);
    const passing = await passingRows(job, session, dataset, broken);
    return { dataset: passing, artifacts, summary: summaryOf(dataset, passing, results) };
  } finally {
    await session.close();
  }
}

function userSqlOf(config: ValidationConfig): UserSql[] {
  return config.rules.flatMap((rule, at): UserSql[] => {
    if (rule.type !== 'sql') return [];
    if (rule.expression !== undefined)
      return [{ path: `rules.${at}.expression`, kind: 'expression', sql: rule.expression }];
    return [{ path: `rules.${at}.query`, kind: 'select', sql: rule.query ?? '' }];
  });
}

/** One pass over the rows counts for all rules. */
async function count(session: Session, rules: readonly CheckedRule[], rows: number): Promise<Result[]> {
  const flags = rules.flatMap(({ fails }, at) =>
    fails === null ? [] : [`coalesce(${fails}, false) AS __fails_${at}`],
  );
  const counted = rules.flatMap(({ fails }, at) =>
    fails === null ? [] : [`count(*) FILTER (WHERE __fails_${at}) AS n${at}`],
  );
  await session.run(`CREATE VIEW __flagged AS SELECT *${flags.map((flag) => `, ${flag}`).join('')} FROM __input`, {
    at: 'rules',
  });
  const [row] =
    counted.length > 0 ? await session.query(`SELECT ${counted.join(', ')} FROM __flagged`, { at: 'rules' }) : [];
  const results: Result[] = [];
  for (const [at, checked] of rules.entries()) {
    const failures =
      checked.fails === null ? await wholeFailures(session, checked, rows) : Number(row?.[`n${at}`] ?? 0);
    results.push({ ...checked, failures, passed: failures <= allowed(checked, rows) });
  }
  return results;
}

function allowed({ rule }: CheckedRule, rows: number): number {
  const threshold = 'threshold' in rule ? rule.threshold : undefined;
  if (threshold === undefined) return 0;
  if (typeof threshold === 'number') return threshold * rows;
  return 'share' in threshold ? threshold.share * rows : threshold.count;
}

async function keepAside(
  job: Job<ValidationConfig>,
  session: Session,
  broken: readonly Result[],
): Promise<ArtifactRef> {
  const columns = mainInput(job).columns.map((column) => `${literal(column.name)}: ${name(column.name)}`);
  const reasons = broken.map((result) => `CASE WHEN __fails_${indexOf(result)} THEN ${literal(result.label)} END`);
  const any = broken.map((result) => `__fails_${indexOf(result)}`).join(' OR ');
  const select = `SELECT ${POSITION} + 1 AS "row", list_filter([${reasons.join(', ')}], lambda reason: reason IS NOT NULL) AS reasons, {${columns.join(', ')}} AS "values"
    FROM __flagged WHERE ${any} ORDER BY ${POSITION} LIMIT ${job.config.max_rejects}`;
  return writeTableArtifact(job, session, select, { name: 'rejects.ndjson', format: 'ndjson' }, { at: 'rules' });
}

const indexOf = (result: CheckedRule) => Number(result.at.slice('rules.'.length));

/** The same dataset when no row is taken out: nothing is written again. */
async function passingRows(
  job: Job<ValidationConfig>,
  session: Session,
  dataset: DatasetRef,
  broken: readonly Result[],
): Promise<DatasetRef> {
  const errors = broken.filter((result) => result.rule.severity === 'error');
  if (errors.length === 0 || job.config.keep === 'all') return dataset;
  const any = errors.map((result) => `__fails_${indexOf(result)}`).join(' OR ');
  const columns = dataset.columns.map((column) => name(column.name)).join(', ');
  // A condition on the row alone leaves the rows in their order; one that looks elsewhere may be done as a join.
  const looksElsewhere = errors.some(
    ({ rule }) => rule.type === 'unique' || rule.type === 'foreign_key' || rule.type === 'sql',
  );
  const order = looksElsewhere ? ` ORDER BY ${POSITION}` : '';
  return writeDataset(job, session, `SELECT ${columns} FROM __flagged WHERE NOT (${any})${order}`, {
    at: 'rules',
  });
}

async function writeReport(
  job: Job<ValidationConfig>,
  dataset: DatasetRef,
  results: readonly Result[],
): Promise<ArtifactRef> {
  const report = { rows: dataset.rows, rules: results.map(ruleView) };
  return writeTextArtifact(job, 'validation.json', `${JSON.stringify(report, null, 2)}\n`);
}

function ruleView({ rule, label, failures, passed }: Result): JsonObject {
  return { name: label, type: rule.type, severity: rule.severity, failures, passed };
}

function summaryOf(dataset: DatasetRef, passing: DatasetRef, results: readonly Result[]): JsonObject {
  return {
    rows_in: dataset.rows,
    rows: passing.rows,
    rules: results.length,
    passed: results.filter((result) => result.passed).length,
    results: results
      .slice(0, MAX_IN_SUMMARY)
      .map((result) => ({ ...ruleView(result), name: result.label.slice(0, 80) })),
  };
}

function overThreshold(job: Job<unknown>, failed: readonly Result[], dataset: DatasetRef, kept: boolean): Failure {
  const words = failed.map(({ label, failures, rule }) =>
    rule.type === 'row_count'
      ? `${label}: there are ${dataset.rows} rows`
      : `${label}: ${failures} of ${dataset.rows} rows fail`,
  );
  const where = kept ? `; the failing rows are kept as ${job.request.prefix}rejects.ndjson` : '';
  return new Failure('validation_failed', `${words.slice(0, 10).join('; ')}${where}`, {
    faults: failed.map(({ at, label, failures }) => ({ path: at, message: `${label}: ${failures} failures` })),
  });
}
