/** Embeds what a file's records lack and writes it to the vector index, batch by batch. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { Source } from '../../schema/names.ts';
import { lockContent, markIndexed, readUnindexed, stillCurrent, type Unindexed } from '../../stores/content.ts';
import { bumpContentVersion } from '../../stores/content-versions.ts';
import type { Embedder, VectorIndex, VectorRow } from '../../stores/contract.ts';
import type { Trx } from '../../stores/database.ts';
import { lockFile } from '../../stores/files.ts';
import { askedToStop } from '../context.ts';

/** A batch aims at this long: short enough to pause soon, long enough for the index to write large pieces. */
const BATCH_MS = 2_000;
const FIRST_BATCH = 256;
const MIN_BATCH = 64;
const MAX_BATCH = 2_000;
/** Embedders cut what is longer (256 to 8,191 tokens); sending more only costs. */
const MAX_EMBED_CHARS = 8_000;
/** A model that is in the cache loads in a second; one that is still being fetched is not waited for. */
const READY_WITHIN_MS = 15_000;

export type VectorDeps = Pick<Deps, 'db'> & { embedder: Embedder; vectors: VectorIndex };

/** What of a file is written: fields that fence and lock. */
export interface VectorTarget {
  file_id: string;
  owner: string;
  source: Source;
  attempt: number;
}

/**
 * Goes on after record id `after` until nothing lacks a vector (`done`) or the activity is asked to stop. The vectors
 * of a batch are written before its rows are marked, and a vector's id is its record's, so a kill in between writes
 * the same vectors again and nothing twice. `note` runs in the transaction of each batch. Throws
 * Failure('conflict') when the file is deleted or its attempt given up.
 */
export async function writeVectors(
  deps: VectorDeps,
  target: VectorTarget,
  after: string | null,
  note: (trx: Trx, batch: { last: string; seen: number }) => Promise<void>,
): Promise<{ done: boolean; written: number }> {
  let from = after;
  let size = FIRST_BATCH;
  let seen = 0;
  // Records that another file rewrote between reading and writing: their new text is read on another way through.
  let rewritten = 0;
  for (;;) {
    const started = performance.now();
    const records = await readUnindexed(deps.db, target.file_id, from, size);
    const last = records.at(-1)?.record_id;
    if (last === undefined) {
      if (rewritten === 0) return { done: true, written: seen };
      from = null;
      rewritten = 0;
      continue;
    }
    const progress = { last, seen: seen + records.length };
    const written = await writeBatch(deps, target, records, (trx) => note(trx, progress));
    rewritten += records.length - written;
    from = last;
    seen = progress.seen;
    if (askedToStop()) return { done: false, written: seen };
    const perRecord = (performance.now() - started) / records.length;
    size = Math.min(MAX_BATCH, Math.max(MIN_BATCH, Math.round(BATCH_MS / perRecord)));
  }
}

/** Resolves when the embedder can embed; throws Failure('semantic_unavailable') when it cannot, or not soon. */
export async function untilReady(embedder: Embedder): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Failure('semantic_unavailable', 'The embedding model is still being fetched')),
    READY_WITHIN_MS,
  );
  const ready = embedder.embed([]);
  // Late, it is nobody's business any more.
  ready.catch(() => {});
  try {
    await Promise.race([ready, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether this says that no embedder can be had at the moment, as opposed to a fault on the way. */
export function isSemanticOff(error: unknown): error is Failure {
  return error instanceof Failure && error.code === 'semantic_unavailable';
}

/** Resolves with how many of the records still said what they said when they were read, and were written. */
async function writeBatch(
  deps: VectorDeps,
  target: VectorTarget,
  records: Unindexed[],
  note: (trx: Trx) => Promise<void>,
): Promise<number> {
  const vectors = await deps.embedder.embed(records.map(embeddedText));
  return deps.db.transaction().execute(async (trx) => {
    await lockFile(trx, target);
    // Shared with other writers, against removals: what is written here still exists when this commits.
    await lockContent(trx, target.owner, target.source, 'shared');
    const current = await stillCurrent(trx, records);
    const rows = records.flatMap((record, i): VectorRow[] => {
      const vector = vectors[i];
      return vector && current.has(record.record_id) ? [vectorRow(record, vector)] : [];
    });
    if (rows.length > 0) await deps.vectors.upsert(rows);
    await markIndexed(trx, records);
    await bumpContentVersion(trx, target.owner, target.source);
    await note(trx);
    return current.size;
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
