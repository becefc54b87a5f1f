/** Brings what `data-ingestion` names into files: objects, uploads, addresses, inline rows, records. */
import { Failure } from '../../../schema/failures.ts';
import type { ReadableBucket } from '../../../stores/contract.ts';
import { findFile } from '../../../stores/files.ts';
import type { Job } from '../job.ts';
import { mayRead, nothingThere } from './may-read.ts';

/** A file to read. `label` is what messages and the filename column call it. */
export interface SourceFile {
  path: string;
  label: string;
}

const MAX_FILES = 10_000;

/** Every file that an address means, in the order of their keys. */
export async function filesOf(job: Job<unknown>, address: string): Promise<SourceFile[]> {
  if (/^https?:/i.test(address)) return [await download(job, address)];
  if (/^file:/i.test(address)) return [await uploaded(job, address.slice('file:'.length).toLowerCase())];
  return objects(job, placeOf(job, address));
}

/** A bucket with where in it to look, and how an object of it becomes a file of the job. */
interface Place {
  bucket: string;
  key: string;
  store: Pick<ReadableBucket, 'stat' | 'list'>;
  bring(key: string): Promise<SourceFile>;
}

function placeOf(job: Job<unknown>, address: string): Place {
  const { objects: own, config } = job.deps;
  const [, named, within] = /^s3:\/\/([^/]+)\/?(.*)$/i.exec(address) ?? [];
  if (named === undefined || named === own.bucket) {
    const bring = async (key: string) => ({ path: await job.workspace.bring(key), label: key });
    return { bucket: own.bucket, key: within ?? address, store: own, bring };
  }
  const store = config.DATA_BUCKETS.includes(named) ? own.otherBucket(named) : null;
  if (store === null) {
    throw new Failure(
      'forbidden',
      `${address}: only ${[own.bucket, ...config.DATA_BUCKETS].join(', ')} can be read; DATA_BUCKETS on S3_ENDPOINT adds others`,
    );
  }
  const bring = async (key: string) => ({
    path: await job.workspace.save(fileName(key.split('/').at(-1) ?? ''), await store.get(key)),
    label: `s3://${named}/${key}`,
  });
  return { bucket: named, key: within ?? '', store, bring };
}

async function objects(job: Job<unknown>, { bucket, key, store, bring }: Place): Promise<SourceFile[]> {
  if (key !== '' && !key.endsWith('/')) {
    await mayRead(job, { bucket, key });
    if (await store.stat(key)) return [await bring(key)];
  }
  const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
  const found: SourceFile[] = [];
  await mayRead(job, { bucket, key: prefix });
  for await (const object of store.list(prefix)) {
    if (object.size === 0) continue;
    if (found.length === MAX_FILES) throw new Failure('invalid_input', `${key} holds more than ${MAX_FILES} files`);
    await mayRead(job, { bucket, key: object.key });
    found.push(await bring(object.key));
  }
  if (found.length === 0) throw nothingThere(job, key);
  return found;
}

async function uploaded(job: Job<unknown>, fileId: string): Promise<SourceFile> {
  const file = await findFile(job.deps.db, fileId);
  // Somebody else's file and no file look alike, so that ids cannot be tried out.
  if (!file || !(job.request.all_owners || file.owner === job.request.owner)) {
    throw new Failure('not_found', `No file ${fileId}`);
  }
  if (file.object_key === null) throw new Failure('not_found', `The bytes of file ${fileId} are no longer kept`);
  return { path: await job.workspace.bring(file.object_key), label: file.filename };
}

async function download(job: Job<unknown>, address: string): Promise<SourceFile> {
  const label = labelOf(new URL(address));
  const { body } = await job.deps.egress.stream(address, {
    signal: job.signal,
    timeoutMs: job.request.timeout_seconds * 1_000,
  });
  return { path: await job.workspace.save(fileName(label), body), label };
}

/** What a folder takes as a name, ending as the label does. */
function fileName(label: string): string {
  return label.replace(/[^A-Za-z0-9._-]/g, '_').slice(-100);
}

/** The last part of the path; a percent sign that encodes nothing stands for itself. */
function labelOf({ pathname, host }: URL): string {
  const last = pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last) || host;
  } catch {
    return last;
  }
}
