/** Files to download, below the run's prefix and, where a key is named, below `outputs/<owner>/` too. */
import { createHash } from 'node:crypto';
import { Failure } from '../../../schema/failures.ts';
import type { ArtifactRef } from '../../../schema/stages/contract.ts';
import type { FileOutput } from '../../../schema/stages/output.ts';
import type { Session } from '../engine/pool.ts';
import { type Job, mainInput, POSITION, writeTableArtifact } from '../job.ts';
import { orderBy } from '../measures.ts';
import { literal, names } from '../quote.ts';

export async function writeFiles(
  job: Job<unknown>,
  session: Session,
  files: readonly FileOutput[],
): Promise<ArtifactRef[]> {
  const known = mainInput(job).columns.map((column) => column.name);
  const taken = new Set<string>();
  const artifacts: ArtifactRef[] = [];
  for (const [at, file] of files.entries()) {
    const place = { at: `files.${at}` };
    const wanted = [
      ...(file.columns ?? []),
      ...(file.sort ?? []).map((key) => (typeof key === 'string' ? key : key.column)),
    ];
    const missing = wanted.filter((column) => !known.some((name) => name.toLowerCase() === column.toLowerCase()));
    if (missing.length > 0)
      throw new Failure(
        'invalid_input',
        `${place.at}: there is no column ${missing.join(', ')}; there are ${known.join(', ')}`,
      );
    const name = file.name ?? `output${at === 0 ? '' : `-${at + 1}`}.${file.format}`;
    if (taken.has(name)) throw new Failure('invalid_input', `${place.at}.name: two files are called ${name}`);
    taken.add(name);
    const columns = file.columns ? names(file.columns) : `* EXCLUDE (${POSITION})`;
    // Without an order of its own a file keeps that of its rows, which needs no sorting.
    const select = file.sort
      ? `SELECT ${columns} FROM __input ORDER BY ${orderBy(file.sort)}, ${POSITION}`
      : `SELECT ${columns} FROM __input`;
    const options = file.format === 'csv' ? csvOptions(file) : undefined;
    const artifact = await writeTableArtifact(
      job,
      session,
      select,
      { name, format: file.format, ...(options ? { options } : {}) },
      place,
    );
    artifacts.push(artifact);
    if (file.key !== undefined)
      await publish(job, artifact.key, `outputs/${ownerFolder(job.request.owner)}/${file.key}`);
  }
  return artifacts;
}

function csvOptions(file: FileOutput): string {
  return `FORMAT csv, HEADER ${file.header ?? true}, DELIMITER ${literal(file.delimiter ?? ',')}`;
}

/** The owner's part of the store: its id where a key can hold it, else a hash of it. */
export function ownerFolder(owner: string): string {
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/.test(owner)) return owner;
  return `owner-${createHash('sha256').update(owner).digest('hex').slice(0, 32)}`;
}

/** The run keeps its own artifact: what stands under a name of its own is replaced by the next run. */
async function publish(job: Job<unknown>, from: string, to: string): Promise<void> {
  await job.deps.objects.put(to, await job.deps.objects.get(from));
}
