/** What every stage type works with: its request, its session of the engine, and how its results become objects. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { ArtifactRef, DatasetRef, StageOutput, StageRequest } from '../../schema/stages/contract.ts';
import type { UserSql } from './engine/messages.ts';
import type { EnginePool, Place, Session } from './engine/pool.ts';
import { literal, name } from './quote.ts';
import type { Workspace } from './workspace.ts';

export type StageDeps = Pick<Deps, 'config' | 'objects' | 'pool' | 'db' | 'egress' | 'embedder' | 'vectors' | 'close'>;

export interface Job<C> {
  deps: StageDeps;
  request: StageRequest;
  config: C;
  workspace: Workspace;
  engines: EnginePool;
  signal: AbortSignal;
  /** How far the stage is, 0 to 1. Without a message: how far the statement that runs is. */
  progress(share: number, message: string): void;
}

export type Stage<C> = (job: Job<C>) => Promise<StageOutput>;

export interface Column {
  name: string;
  type: string;
}

/** Row position in a dataset: what ties are broken by, so that threads never decide an order. */
export const POSITION = '__position';
/** Rows of a group in a Parquet file, about; one is read by one thread, in order. */
const ROW_GROUP = 122_880;

/** Measured over a million orders: as quick to write as snappy, and a sixth of its size. */
const DATASET = `FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE ${ROW_GROUP}`;
/** For others' tools, of which not all read the newer encodings. */
const PARQUET = `FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE ${ROW_GROUP}`;
const MAX_SUMMARY = 16 * 1024;

/** The first input, which a stage works on. Throws Failure('invalid_input') when there is none. */
export function mainInput(job: Job<unknown>): DatasetRef {
  const [first] = job.request.inputs;
  if (!first)
    throw new Failure(
      'invalid_input',
      `A stage of type ${job.request.type} needs the output of another stage, or a data_source`,
    );
  return first.dataset;
}

export interface OpenOptions {
  userSql?: UserSql[];
  files?: { path: string; label: string }[];
  /** Several engines share the limits of one job; each has a folder of its own. */
  split?: { parts: number; part: number };
}

/**
 * Opens the engine over the inputs: each is a view by its stage's name, the first also `input`; the view
 * `__input` has the row's position besides, and `__row_groups` says where the groups of its file begin.
 */
export async function openSession(job: Job<unknown>, options: OpenOptions = {}): Promise<Session> {
  const inputs = await Promise.all(
    job.request.inputs.map(async ({ name: stage, dataset }) => ({
      stage,
      file: await job.workspace.bring(dataset.key),
    })),
  );
  const views = new Map<string, { view: string; file: string }>();
  for (const { stage, file } of inputs)
    if (!views.has(stage.toLowerCase())) views.set(stage.toLowerCase(), { view: stage, file });
  const [first] = inputs;
  if (first && !views.has('input')) views.set('input', { view: 'input', file: first.file });
  const session = await job.engines.open({
    folder: options.split ? join(job.workspace.folder, `engine-${options.split.part}`) : job.workspace.folder,
    files: [...inputs.map(({ stage, file }) => ({ path: file, label: stage })), ...(options.files ?? [])],
    userSql: options.userSql ?? [],
    views: [...views.values()].map(({ view }) => view),
    signal: job.signal,
    share: (share) => job.progress(share, ''),
    ...(options.split === undefined ? {} : { split: options.split.parts }),
  });
  try {
    const place: Place = { at: 'input', code: 'malformed' };
    for (const { view, file } of views.values()) {
      await session.run(`CREATE VIEW ${name(view)} AS SELECT * FROM read_parquet(${literal(file)})`, place);
    }
    if (first) {
      await session.run(
        `CREATE VIEW __input AS SELECT * EXCLUDE (file_row_number), file_row_number AS ${POSITION} FROM read_parquet(${literal(first.file)}, file_row_number=true)`,
        place,
      );
      await session.run(
        `CREATE VIEW __row_groups AS SELECT row_group_id, sum(rows) OVER (ORDER BY row_group_id) - rows AS first_row FROM (SELECT DISTINCT row_group_id, row_group_num_rows AS rows FROM parquet_metadata(${literal(first.file)}))`,
        place,
      );
    }
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

export async function describe(session: Session, select: string, place: Place): Promise<Column[]> {
  const rows = await session.query(`DESCRIBE ${select}`, place);
  return rows.map((row) => ({ name: String(row.column_name), type: String(row.column_type) }));
}

/** Parquet has no 128-bit integers; as DOUBLE, which it would write, digits were lost. */
const WIDE = new Set(['HUGEINT', 'UHUGEINT']);

function storable(select: string, columns: Column[]): { select: string; columns: Column[] } {
  if (!columns.some(({ type }) => WIDE.has(type))) return { select, columns };
  const list = columns.map(({ name: column, type }) =>
    WIDE.has(type) ? `${name(column)}::DECIMAL(38,0) AS ${name(column)}` : name(column),
  );
  return {
    select: `SELECT ${list.join(', ')} FROM (\n${select}\n)`,
    columns: columns.map((column) => (WIDE.has(column.type) ? { ...column, type: 'DECIMAL(38,0)' } : column)),
  };
}

/** Writes what `select` gives as the stage's dataset. */
export async function writeDataset(
  job: Job<unknown>,
  session: Session,
  select: string,
  place: Place,
  file = 'data.parquet',
): Promise<DatasetRef> {
  const kept = storable(select, await describe(session, select, place));
  const { path, rows, bytes, sha256 } = await session.copy(kept.select, file, DATASET, place);
  const key = `${job.request.prefix}${file}`;
  await job.deps.objects.putFile(key, path);
  return { key, format: 'parquet', rows, bytes, sha256, columns: kept.columns };
}

const MEDIA: Record<string, string> = {
  csv: 'text/csv',
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
  html: 'text/html',
};

/** Writes what `select` gives as a file to download. `format` decides the options of COPY unless given. */
export async function writeTableArtifact(
  job: Job<unknown>,
  session: Session,
  select: string,
  file: { name: string; format: 'csv' | 'json' | 'ndjson' | 'parquet'; options?: string; key?: string },
  place: Place,
): Promise<ArtifactRef> {
  const options =
    file.options ??
    { csv: 'FORMAT csv, HEADER', json: 'FORMAT json, ARRAY true', ndjson: 'FORMAT json', parquet: PARQUET }[
      file.format
    ];
  const kept = file.format === 'parquet' ? storable(select, await describe(session, select, place)).select : select;
  const { path, rows, bytes, sha256 } = await session.copy(kept, file.name, options, place);
  const key = file.key ?? `${job.request.prefix}${file.name}`;
  await job.deps.objects.putFile(key, path);
  return { name: file.name, key, media_type: MEDIA[file.format] ?? 'application/octet-stream', bytes, sha256, rows };
}

/** Stores text made here (a JSON document, a report) as an artifact. */
export async function writeTextArtifact(job: Job<unknown>, file: string, text: string): Promise<ArtifactRef> {
  const bytes = Buffer.from(text);
  const path = join(job.workspace.folder, 'out', file);
  await writeFile(path, bytes);
  const key = `${job.request.prefix}${file}`;
  await job.deps.objects.putFile(key, path);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const extension = file.split('.').at(-1) ?? '';
  return { name: file, key, media_type: MEDIA[extension] ?? 'text/plain', bytes: bytes.length, sha256, rows: null };
}

/** Throws when a stage says more about itself than a history should carry: its own mistake, never the caller's. */
export function checkOutput(output: StageOutput): StageOutput {
  if (JSON.stringify(output.summary).length > MAX_SUMMARY) {
    throw new Failure('internal', 'The summary of a stage is over 16 KiB');
  }
  return output;
}
