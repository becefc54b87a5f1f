/** Brings the vectors that completed files lack: their embedder was away, was switched off, or the index was lost. */
import { sql } from 'kysely';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import { countRecords } from '../../stores/content.ts';
import type { Db } from '../../stores/database.ts';
import type { FileRow } from '../../stores/files.ts';
import { askedToStop, keepAlive } from '../context.ts';
import { isSemanticOff, untilReady, type VectorDeps, writeVectors } from '../ingestion/write-vectors.ts';

const FILES_AT_ONCE = 500;
/** An embedder that refuses one file may take the next; one that refuses these is away. */
const MOST_REFUSED = 3;

export interface CaughtUp {
  files: number;
  vectors: number;
  /** Why there is no embedder to do it with, or why it refused a file. */
  off: string | null;
}

/** Resolves as soon as nothing is missing, no embedder can be had, or it is asked to stop; the next run goes on. */
export async function catchUpVectors(deps: Deps): Promise<CaughtUp> {
  const { embedder, vectors } = deps;
  const done: CaughtUp = { files: 0, vectors: 0, off: null };
  if (embedder === null || vectors === null) return { ...done, off: deps.semanticOff };
  const index: VectorDeps = { ...deps, embedder, vectors };
  const stop = keepAlive(() => ({ ...done }));
  try {
    await forgetLostVectors(index);
    const files = await lackingFiles(deps.db);
    if (files.length === 0) return done;
    await untilReady(embedder);
    let refused = 0;
    for (const file of files) {
      if (askedToStop() || refused === MOST_REFUSED) break;
      const outcome = await catchUp(index, file);
      if (outcome instanceof Failure) {
        refused += 1;
        done.off = outcome.message;
        continue;
      }
      done.vectors += outcome;
      done.files += 1;
    }
    if (done.vectors > 0) await vectors.compact();
    return done;
  } catch (error) {
    if (!isSemanticOff(error)) throw error;
    return { ...done, off: error.message };
  } finally {
    stop();
  }
}

async function lackingFiles(db: Db): Promise<FileRow[]> {
  return db
    .selectFrom('file_imports')
    .selectAll()
    .where('status', '=', 'completed')
    .where('deleted_at', 'is', null)
    .whereRef('vector_count', '<', 'total_records')
    .orderBy('created_at')
    .limit(FILES_AT_ONCE)
    .execute();
}

/** How many vectors it wrote, or why the embedder would not. */
async function catchUp(deps: VectorDeps, file: FileRow): Promise<number | Failure> {
  const target = { file_id: file.file_id, owner: file.owner, source: file.source_type, attempt: file.attempt };
  try {
    const { written } = await writeVectors(deps, target, null, async () => {});
    const counts = await countRecords(deps.db, file.file_id);
    await deps.db
      .updateTable('file_imports')
      .set({ vector_count: String(counts.vectors) })
      .where('file_id', '=', file.file_id)
      .where('attempt', '=', file.attempt)
      .where('status', '=', 'completed')
      .execute();
    return written;
  } catch (error) {
    // Deleted or tried anew meanwhile: nothing of it is missing any more.
    if (error instanceof Failure && error.code === 'conflict') return 0;
    if (isSemanticOff(error)) return error;
    throw error;
  }
}

/**
 * An index that is empty although files have vectors was dropped (for another embedder, or by accident): then every
 * record is embedded again. The files are asked before the index, since a file tells its vectors after they are there.
 */
async function forgetLostVectors({ db, vectors }: VectorDeps): Promise<void> {
  const told = await db
    .selectFrom('file_imports')
    .select('file_id')
    .where('status', '=', 'completed')
    .where('deleted_at', 'is', null)
    .where('vector_count', '>', '0')
    .limit(1)
    .executeTakeFirst();
  if (!told || (await vectors.count()) > 0) return;
  await db.transaction().execute(async (trx) => {
    await sql`UPDATE file_imports SET vector_count = 0 WHERE status = 'completed' AND vector_count > 0`.execute(trx);
    await sql`UPDATE parsed_content SET vector_hash = NULL WHERE vector_hash IS NOT NULL`.execute(trx);
  });
}
