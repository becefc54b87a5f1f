/** Step 3 of an ingestion: embeds what has no vector yet and writes it to the vector index. */
import type { Deps } from '../../deps.ts';
import type { Step, StepResult } from '../../schema/ingestion.ts';
import type { Checkpoint } from '../../schema/tables.ts';
import { lockContent, markIndexed, readUnindexed, stillCurrent, type Unindexed } from '../../stores/content.ts';
import { bumpContentVersion } from '../../stores/content-versions.ts';
import type { Embedder, VectorIndex, VectorRow } from '../../stores/contract.ts';
import { lockFile, patchFile } from '../../stores/files.ts';
import { askedToStop, keepAlive } from '../context.ts';
import { asJson, readCheckpoint } from './checkpoint.ts';

const PROGRESS_FROM = 60;
const PROGRESS_TO = 95;
/** A batch aims at this long: short enough to pause soon, long enough for the index to write large pieces. */
const BATCH_MS = 2_000;
const MIN_BATCH = 64;
const MAX_BATCH = 2_000;
/** Embedders cut what is longer (256 to 8,191 tokens); sending more only costs. */
const MAX_EMBED_CHARS = 8_000;

/**
 * Goes on after the checkpoint. The vectors of a batch are written before its rows are marked, and a vector's id is
 * its record's, so a kill in between writes the same vectors again and nothing twice.
 */
export async function indexFile(deps: Deps, step: Step): Promise<StepResult> {
  const file = await deps.db.transaction().execute((trx) => lockFile(trx, step));
  const checkpoint = readCheckpoint(file);
  const { embedder, vectors } = deps;
  if (embedder === null || vectors === null) return { done: true, checkpoint: asJson(checkpoint) };
  let state = checkpoint;
  let size = 256;
  let seen = 0;
  const total = Number(file.total_records);
  const stop = keepAlive(() => ({ after: state.indexed_after }));
  try {
    for (;;) {
      const started = performance.now();
      const records = await readUnindexed(deps.db, step.file_id, state.indexed_after, size);
      const last = records.at(-1);
      if (!last) break;
      seen += records.length;
      const share = Math.min(1, seen / Math.max(1, total));
      state = { ...state, indexed_after: last.record_id };
      await writeBatch(
        deps,
        { embedder, vectors },
        step,
        records,
        state,
        PROGRESS_FROM + share * (PROGRESS_TO - PROGRESS_FROM),
      );
      if (askedToStop()) return { done: false, checkpoint: asJson(state) };
      const perRecord = (performance.now() - started) / records.length;
      size = Math.min(MAX_BATCH, Math.max(MIN_BATCH, Math.round(BATCH_MS / perRecord)));
    }
    if (seen > 0) await vectors.compact();
  } finally {
    stop();
  }
  return { done: true, checkpoint: asJson(state) };
}

async function writeBatch(
  deps: Deps,
  index: { embedder: Embedder; vectors: VectorIndex },
  step: Step,
  records: Unindexed[],
  checkpoint: Checkpoint,
  progress: number,
): Promise<void> {
  const vectors = await index.embedder.embed(records.map(embeddedText));
  await deps.db.transaction().execute(async (trx) => {
    await lockFile(trx, step);
    // Shared with other writers, against removals: what is written here still exists when this commits.
    await lockContent(trx, step.owner, step.source, 'shared');
    const current = await stillCurrent(trx, records);
    const rows = records.flatMap((record, i): VectorRow[] => {
      const vector = vectors[i];
      return vector && current.has(record.record_id) ? [vectorRow(record, vector)] : [];
    });
    if (rows.length > 0) await index.vectors.upsert(rows);
    await markIndexed(trx, records);
    await bumpContentVersion(trx, step.owner, step.source);
    await patchFile(trx, step, { phase: 'indexing', progress, checkpoint: asJson(checkpoint) });
  });
}

function embeddedText(record: Unindexed): string {
  const text = record.title && !record.text.startsWith(record.title) ? `${record.title}\n${record.text}` : record.text;
  return text.slice(0, MAX_EMBED_CHARS);
}

function vectorRow(record: Unindexed, vector: Float32Array): VectorRow {
  return {
    id: record.record_id,
    vector,
    owner: record.owner,
    source: record.source_type,
    content_type: record.content_type,
    author: record.author,
    occurred_at: record.occurred_at?.getTime() ?? null,
    content_hash: record.content_hash,
  };
}
