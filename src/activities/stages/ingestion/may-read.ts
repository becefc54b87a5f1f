/** Who may read which object as data. */
import { isOpenData } from '../../../schema/data-places.ts';
import { Failure } from '../../../schema/failures.ts';
import type { Job } from '../job.ts';
import { ownerFolder } from '../output/files.ts';

/** An object, or a prefix ending with a slash. */
export interface DataAt {
  bucket: string;
  key: string;
}

/**
 * What the house keeps is read by whom it belongs to: outputs by owner, what runs keep by who started them, uploads by
 * `file:<id>` alone, which asks whose it is. All else is for those who may see everything, unless DATA_PREFIXES opens it.
 * Throws Failure: `forbidden` for rooms of the house, and for the rest what `nothingThere` says of any absent key.
 */
export async function mayRead(job: Job<unknown>, { bucket, key }: DataAt): Promise<void> {
  const { owner, all_owners } = job.request;
  if (all_owners) return;
  const own = job.deps.objects.bucket;
  const [first = '', whose] = key.split('/');
  // Some file systems take capitals for the same.
  const room = first.toLowerCase();
  if (bucket === own && (key === '' || room === 'uploads' || room === 'runs' || room === 'outputs')) {
    if (first === 'outputs' && whose === ownerFolder(owner)) return;
    if (first === 'runs' && whose && (await ownsRun(job, whose))) return;
    throw new Failure('forbidden', `${key || 'The whole bucket'} is not yours to read`);
  }
  if (!isOpenData(job.deps.config.DATA_PREFIXES, own, { bucket, key })) throw nothingThere(job, key);
}

/** The same words whether it is absent or not to be read, so that keys cannot be tried out. */
export function nothingThere(job: Job<unknown>, key: string): Failure {
  const what = `There is no object ${key || '(any)'} and none below it`;
  const rule = 'that you may read; DATA_PREFIXES names what everybody may';
  return new Failure('not_found', job.request.all_owners ? what : `${what} ${rule}`);
}

/** What a pipeline run keeps goes by the run's id, all else by its workflow's. */
async function ownsRun({ deps, request }: Job<unknown>, id: string): Promise<boolean> {
  const { db } = deps;
  const run =
    (await db.selectFrom('pipeline_runs').select('owner').where('run_id', '=', id).executeTakeFirst()) ??
    (await db.selectFrom('workflow_runs').select('owner').where('workflow_id', '=', id).executeTakeFirst());
  return run?.owner === request.owner;
}
