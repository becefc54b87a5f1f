/** `data-ingestion`: finds the source, reads it, and writes it as one dataset. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../../schema/failures.ts';
import type { JsonObject } from '../../../schema/json.ts';
import type { ArtifactRef, StageOutput } from '../../../schema/stages/contract.ts';
import { IngestionConfig, Reading } from '../../../schema/stages/ingestion.ts';
import type { Session } from '../engine/pool.ts';
import { describe, type Job, openSession, writeDataset, writeTableArtifact } from '../job.ts';
import { literal, name } from '../quote.ts';
import { type Told, tellFormat } from './format.ts';
import { castsOf, readCall, readFailure } from './read.ts';
import { RECORD_COLUMNS, RECORD_NULL, recordsFile } from './records.ts';
import { filesOf, type SourceFile } from './sources.ts';

const PLACE = { at: 'data', code: 'malformed' } as const;

export async function ingest(job: Job<IngestionConfig>): Promise<StageOutput> {
  const config = withDefaults(job);
  job.progress(0, 'Fetching the source');
  const source = await sourceOf({ ...job, config });
  const told = await tellFormat(source.files, source.reading);
  const clean = config.on_error === 'skip' && told.format === 'ndjson';
  const session = await openSession(job, { files: source.files });
  try {
    job.progress(0.1, `Reading ${told.format}`);
    const rejects = await (clean ? splitLines(session, source.files, job) : Promise.resolve(null));
    const read = { ...source, files: rejects?.files ?? source.files };
    const dataset = await write(job, session, read, told, config).catch((error) => {
      throw readFailure(error);
    });
    const artifacts: ArtifactRef[] = [];
    const rejected =
      config.on_error === 'skip' ? await keepRejects(job, session, source.files, told, rejects !== null) : null;
    if (rejected?.artifact) artifacts.push(rejected.artifact);
    const count = rejected?.count ?? 0;
    if (config.max_rejects !== undefined && count > config.max_rejects) {
      throw new Failure('malformed', `${count} rows could not be read; max_rejects allows ${config.max_rejects}`);
    }
    return {
      dataset,
      artifacts,
      summary: {
        rows: dataset.rows,
        columns: dataset.columns.length,
        files: source.files.length,
        format: told.format,
        ...(rejected ? { rejected: count } : {}),
      },
    };
  } finally {
    await session.close();
  }
}

interface Source {
  files: SourceFile[];
  reading: Reading;
}

/** The configuration; what it leaves open comes from `parameters` of a task, `input_data` and `parameters` of the run. */
function withDefaults(job: Job<IngestionConfig>): IngestionConfig {
  const { config, request } = job;
  const known = Object.keys(Reading.shape);
  const open: JsonObject = {};
  for (const layer of [request.parameters, request.input_data ?? {}, config.parameters ?? {}]) {
    for (const [key, value] of Object.entries(layer)) if (known.includes(key) && value !== null) open[key] = value;
  }
  const own = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  const named = ['source', 'sources', 'data_source', 'rows', 'records'].some((key) => key in own);
  const given = { ...request.parameters, ...request.input_data };
  const from = named
    ? {}
    : Object.fromEntries(
        Object.entries(given).filter(([key]) => ['source', 'sources', 'data_source', 'rows', 'records'].includes(key)),
      );
  const parsed = IngestionConfig.safeParse({ ...open, ...from, ...own });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  throw new Failure(
    'invalid_input',
    `The data cannot be read like this: ${faults.map((fault) => `${fault.path} ${fault.message}`).join('; ')}`,
    { faults },
  );
}

async function sourceOf(job: Job<IngestionConfig>): Promise<Source> {
  const { config } = job;
  if (config.rows !== undefined) {
    const path = join(job.workspace.folder, 'in', 'rows.ndjson');
    await writeFile(path, config.rows.map((row) => `${JSON.stringify(row)}\n`).join('') || '{}\n');
    return { files: [{ path, label: 'rows' }], reading: { ...config, format: 'ndjson' } };
  }
  if (config.records !== undefined) {
    const file = await recordsFile(job, config.records);
    const reading: Reading = {
      format: 'csv',
      delimiter: ',',
      header: true,
      null_strings: [RECORD_NULL],
      schema: RECORD_COLUMNS,
    };
    return { files: [file], reading };
  }
  const addresses = config.sources ?? [config.source ?? config.data_source].filter((address) => address !== undefined);
  if (addresses.length === 0) {
    throw new Failure(
      'invalid_input',
      'No source: name it in the stage (source, rows or records) or as input_data.source of the execution',
    );
  }
  const files: SourceFile[] = [];
  for (const address of addresses) files.push(...(await filesOf(job, address)));
  return { files, reading: config };
}

async function write(job: Job<unknown>, session: Session, source: Source, told: Told, config: IngestionConfig) {
  const filename = config.filename_column !== undefined;
  const rejects = config.on_error === 'skip' && told.format === 'csv';
  const select = (thorough: boolean) => {
    const call = readCall(source.files, told, source.reading, { rejects, thorough, filename });
    const casts = castsOf(told.format, source.reading.schema);
    if (!filename) return `SELECT *${casts} FROM ${call}`;
    const labels = source.files.map((file) => `WHEN ${literal(file.path)} THEN ${literal(file.label)}`).join(' ');
    return `SELECT * EXCLUDE (__file)${casts}, CASE __file ${labels} END AS ${name(config.filename_column ?? '')} FROM ${call}`;
  };
  // No rows are given as one without any column: what is left has neither.
  const none = config.rows?.length === 0 ? ' WHERE false' : '';
  try {
    return await writeDataset(job, session, `${select(false)}${none}`, PLACE);
  } catch (error) {
    // Types are guessed from the first rows: a later one may tell better.
    const guessed = error instanceof Failure && error.code === 'malformed' && told.format !== 'parquet' && !rejects;
    if (!guessed) throw error;
    return await writeDataset(job, session, `${select(true)}${none}`, PLACE).catch(async (failure) => {
      throw (told.format === 'csv' ? await firstReject(session, source, told) : null) ?? failure;
    });
  }
}

/** The first line that cannot be read, when the engine can name it. */
async function firstReject(session: Session, source: Source, told: Told): Promise<Failure | null> {
  const call = readCall(source.files, told, source.reading, { rejects: true });
  try {
    await session.query(`SELECT count(COLUMNS(*)) FROM ${call}`, PLACE);
    const [row] = await session.query(
      'SELECT s.file_path AS file, e.line, e.error_message AS reason FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id) ORDER BY file, e.line, e.column_idx LIMIT 1',
      PLACE,
    );
    if (!row) return null;
    const label = source.files.find((file) => file.path === row.file)?.label ?? 'the file';
    return new Failure('malformed', `${label}, line ${row.line}: ${row.reason}`);
  } catch {
    return null;
  }
}

/** NDJSON with broken lines: those that are JSON objects go to a file of their own, the others aside. */
async function splitLines(session: Session, files: SourceFile[], job: Job<unknown>): Promise<{ files: SourceFile[] }> {
  const clean: SourceFile[] = [];
  await session.run('CREATE TABLE __rejects (file VARCHAR, line BIGINT, reason VARCHAR, content VARCHAR)', PLACE);
  for (const [at, file] of files.entries()) {
    const lines = `(SELECT row_number() OVER () AS line, content FROM read_csv(${literal(file.path)}, columns={'content': 'VARCHAR'}, delim=E'\\x01', quote='', escape='', header=false, auto_detect=false))`;
    const good = "CASE WHEN json_valid(content) THEN json_type(content) = 'OBJECT' ELSE false END";
    await session.run(
      `INSERT INTO __rejects SELECT ${literal(file.label)}, line, 'is not a JSON object', content FROM ${lines} WHERE NOT ${good} AND trim(coalesce(content, '')) <> ''`,
      PLACE,
    );
    const { path } = await session.copy(
      `SELECT content FROM ${lines} WHERE ${good} ORDER BY line`,
      `clean-${at}.ndjson`,
      "FORMAT csv, HEADER false, DELIM E'\\x01', QUOTE '', ESCAPE ''",
      PLACE,
    );
    clean.push({ path, label: file.label });
  }
  job.progress(0.3, 'Read the lines');
  return { files: clean };
}

async function keepRejects(job: Job<unknown>, session: Session, files: SourceFile[], told: Told, lines: boolean) {
  if (told.format !== 'csv' && !lines) return { count: 0, artifact: null };
  const labels = files.map((file) => `WHEN ${literal(file.path)} THEN ${literal(file.label)}`).join(' ');
  const select = lines
    ? 'SELECT file, line, reason, content FROM __rejects ORDER BY file, line'
    : `SELECT CASE s.file_path ${labels} END AS file, e.line, string_agg(e.error_message, '; ' ORDER BY e.column_idx, e.error_message) AS reason, any_value(e.csv_line) AS content
       FROM reject_errors e JOIN (SELECT DISTINCT ON (file_id, scan_id) * FROM reject_scans) s USING (scan_id, file_id)
       WHERE e.scan_id = (SELECT max(scan_id) FROM reject_errors) GROUP BY ALL ORDER BY file, line`;
  const exists =
    lines ||
    (await describe(session, 'reject_errors', PLACE)
      .then(() => true)
      .catch(() => false));
  if (!exists) return { count: 0, artifact: null };
  const artifact = await writeTableArtifact(job, session, select, { name: 'rejects.ndjson', format: 'ndjson' }, PLACE);
  const count = artifact.rows ?? 0;
  return { count, artifact: count === 0 ? null : artifact };
}
