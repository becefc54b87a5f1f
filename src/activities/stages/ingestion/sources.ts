/** Brings what `data-ingestion` names into files: objects, uploads, addresses, inline rows, records. */
import { Failure } from '../../../schema/failures.ts';
import { findFile } from '../../../stores/files.ts';
import type { Job } from '../job.ts';
import { ownerFolder } from '../output/files.ts';

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
  return objects(job, keyOf(job, address));
}

function keyOf(job: Job<unknown>, address: string): string {
  const s3 = /^s3:\/\/([^/]+)\/?(.*)$/i.exec(address);
  if (!s3) return address;
  const { bucket } = job.deps.objects;
  if (s3[1] !== bucket) {
    throw new Failure(
      'forbidden',
      `${address}: only the bucket ${bucket} can be read; another one's data comes in by https`,
    );
  }
  return s3[2] ?? '';
}

async function objects(job: Job<unknown>, key: string): Promise<SourceFile[]> {
  const store = job.deps.objects;
  if (key !== '' && !key.endsWith('/')) {
    await mayRead(job, key);
    if (await store.stat(key)) return [{ path: await job.workspace.bring(key), label: key }];
  }
  const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
  const found: SourceFile[] = [];
  await mayRead(job, prefix);
  for await (const object of store.list(prefix)) {
    if (object.size === 0) continue;
    if (found.length === MAX_FILES) throw new Failure('invalid_input', `${key} holds more than ${MAX_FILES} files`);
    await mayRead(job, object.key);
    found.push({ path: await job.workspace.bring(object.key), label: object.key });
  }
  if (found.length === 0) throw new Failure('not_found', `There is no object ${key || '(any)'} and none below it`);
  return found;
}

/**
 * Objects are shared except what the house keeps for somebody: uploads (read by `file:<id>`, which asks whose it is),
 * runs, and outputs by owner.
 */
async function mayRead(job: Job<unknown>, key: string): Promise<void> {
  const { owner, all_owners } = job.request;
  if (all_owners) return;
  const [first = '', whose] = key.split('/');
  // Some file systems take capitals for the same.
  const room = first.toLowerCase();
  if (first === 'outputs' && whose === ownerFolder(owner)) return;
  if (first === 'runs' && whose && (await ownsRun(job, whose))) return;
  if (key === '' || room === 'uploads' || room === 'runs' || room === 'outputs') {
    throw new Failure('forbidden', `${key || 'The whole bucket'} is not yours to read`);
  }
}

/** What a pipeline run keeps goes by the run's id, all else by its workflow's. */
async function ownsRun({ deps, request }: Job<unknown>, id: string): Promise<boolean> {
  const { db } = deps;
  const run =
    (await db.selectFrom('pipeline_runs').select('owner').where('run_id', '=', id).executeTakeFirst()) ??
    (await db.selectFrom('workflow_runs').select('owner').where('workflow_id', '=', id).executeTakeFirst());
  return run?.owner === request.owner;
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
  return { path: await job.workspace.save(label.replace(/[^A-Za-z0-9._-]/g, '_').slice(-100), body), label };
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
