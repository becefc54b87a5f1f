/** Step 3 of an ingestion: embeds what has no vector yet and writes it to the vector index. */
import type { Deps } from '../../deps.ts';
import type { Step, StepResult } from '../../schema/ingestion.ts';
import { lockFile, patchFile } from '../../stores/files.ts';
import { keepAlive } from '../context.ts';
import { asJson, readCheckpoint } from './checkpoint.ts';
import { isSemanticOff, untilReady, type VectorDeps, writeVectors } from './write-vectors.ts';

const PROGRESS_FROM = 60;
const PROGRESS_TO = 95;

/**
 * Goes on after the checkpoint. Where the embedder cannot be had, the file is done without vectors: it is found by its
 * words, and `catchUpVectors` brings the rest once the embedder is there.
 */
export async function indexFile(deps: Deps, step: Step): Promise<StepResult> {
  const file = await deps.db.transaction().execute((trx) => lockFile(trx, step));
  let checkpoint = readCheckpoint(file);
  const { embedder, vectors } = deps;
  if (embedder === null || vectors === null) return { done: true, checkpoint: asJson(checkpoint) };
  const index: VectorDeps = { ...deps, embedder, vectors };
  const total = Math.max(1, Number(file.total_records));
  const stop = keepAlive(() => ({ after: checkpoint.indexed_after }));
  try {
    await untilReady(embedder);
    const { done, written } = await writeVectors(index, step, checkpoint.indexed_after, async (trx, { last, seen }) => {
      checkpoint = { ...checkpoint, indexed_after: last };
      const progress = PROGRESS_FROM + Math.min(1, seen / total) * (PROGRESS_TO - PROGRESS_FROM);
      await patchFile(trx, step, { phase: 'indexing', progress, checkpoint: asJson(checkpoint) });
    });
    if (done && written > 0) await vectors.compact();
    return { done, checkpoint: asJson(checkpoint) };
  } catch (error) {
    if (!isSemanticOff(error)) throw error;
    deps.log.warn(
      { file_id: step.file_id, reason: error.message },
      'the file is done without vectors; they will follow',
    );
    return { done: true, checkpoint: asJson(checkpoint) };
  } finally {
    stop();
  }
}
