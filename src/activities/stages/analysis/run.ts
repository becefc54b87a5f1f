/** `analysis`: measures its input, passes it on as it is, and leaves what it found as `analysis.json`. */
import { Failure } from '../../../schema/failures.ts';
import type { JsonObject } from '../../../schema/json.ts';
import type { AnalysisConfig } from '../../../schema/stages/analysis.ts';
import type { StageOutput } from '../../../schema/stages/contract.ts';
import { type Column, type Job, mainInput, openSession, writeTextArtifact } from '../job.ts';
import { groupBy, timeSeries } from './groups.ts';
import { correlationsOf } from './moments.ts';
import { outliers, quantiles } from './outliers.ts';
import { isNumeric, profile } from './profile.ts';

const POINTS = [0.05, 0.25, 0.5, 0.75, 0.95];
/** Without a choice only so many columns are paired. */
const MAX_PAIRED = 20;
const MAX_IN_SUMMARY = 40;

export async function analyse(job: Job<AnalysisConfig>): Promise<StageOutput> {
  const { config } = job;
  const dataset = mainInput(job);
  const pick = (wanted: string[] | undefined, at: string, numeric: boolean) =>
    choose(dataset.columns, wanted, at, numeric);
  const session = await openSession(job);
  try {
    job.progress(0.05, 'Measuring');
    const found: JsonObject = { rows: dataset.rows };
    if (config.profile !== false) {
      const settings = config.profile === true ? { top: 5, columns: undefined } : config.profile;
      found.profile = await profile(session, pick(settings.columns, 'profile.columns', false), settings.top);
    }
    job.progress(0.5, 'Profiled');
    if (config.quantiles !== false) {
      const settings: { columns?: string[] | undefined; points?: number[] | undefined } =
        config.quantiles === true ? {} : config.quantiles;
      const columns = pick(settings.columns, 'quantiles.columns', true).map((column) => column.name);
      found.quantiles = await quantiles(session, columns, settings.points ?? POINTS);
    }
    if (config.correlations !== false) {
      const wanted = config.correlations === true ? undefined : config.correlations.columns;
      const columns = pick(wanted, 'correlations.columns', true).map((column) => column.name);
      const pairs = await correlationsOf(session, wanted ? columns : columns.slice(0, MAX_PAIRED));
      found.correlations = pairs.map((pair) => ({ ...pair }));
    }
    if (config.outliers !== false) {
      const settings = config.outliers === true ? { method: 'iqr' as const, examples: 10 } : config.outliers;
      const columns = pick(settings.columns, 'outliers.columns', true).map((column) => column.name);
      found.outliers = await outliers(session, columns, settings);
    }
    job.progress(0.8, 'Grouping');
    const groups: JsonObject[] = [];
    for (const [at, group] of (config.groups ?? []).entries()) {
      pick(group.by, `groups.${at}.by`, false);
      groups.push(await groupBy(session, group, dataset.columns, `groups.${at}`));
    }
    if (config.groups) found.groups = groups;
    const series: JsonObject[] = [];
    for (const [at, one] of (config.time_series ?? []).entries()) {
      pick([one.column], `time_series.${at}.column`, false);
      series.push(await timeSeries(session, one, dataset.columns, `time_series.${at}`));
    }
    if (config.time_series) found.time_series = series;
    const artifact = await writeTextArtifact(job, 'analysis.json', `${JSON.stringify(found, null, 2)}\n`);
    return { dataset, artifacts: [artifact], summary: summaryOf(found, dataset.columns.length) };
  } finally {
    await session.close();
  }
}

function choose(columns: readonly Column[], wanted: string[] | undefined, at: string, numeric: boolean): Column[] {
  if (wanted === undefined) return numeric ? columns.filter(isNumeric) : [...columns];
  return wanted.map((column) => {
    const found = columns.find((known) => known.name.toLowerCase() === column.toLowerCase());
    if (!found)
      throw new Failure(
        'invalid_input',
        `${at}: there is no column ${column}; there are ${columns.map((known) => known.name).join(', ')}`,
      );
    if (numeric && !isNumeric(found))
      throw new Failure('invalid_input', `${at}: ${column} is ${found.type}, not a number`);
    return found;
  });
}

function summaryOf(found: JsonObject, columns: number): JsonObject {
  const profiled = Array.isArray(found.profile) ? (found.profile as JsonObject[]) : [];
  const measured = profiled
    .slice(0, MAX_IN_SUMMARY)
    .map((entry) => [
      String(entry.column).slice(0, 60),
      { nulls: entry.nulls ?? 0, distinct: entry.distinct ?? null, mean: entry.mean ?? null },
    ]);
  const counted = Array.isArray(found.outliers) ? (found.outliers as JsonObject[]) : [];
  return {
    rows: found.rows ?? 0,
    columns,
    profile: Object.fromEntries(measured),
    ...(found.outliers
      ? { outliers: counted.reduce((sum, entry) => sum + Number(entry.below) + Number(entry.above), 0) }
      : {}),
    ...(found.groups ? { groups: (found.groups as JsonObject[]).length } : {}),
    ...(found.time_series ? { time_series: (found.time_series as JsonObject[]).length } : {}),
  };
}
