/** Step 2 of an ingestion: parses in a thread and loads batch after batch, each with its checkpoint. */
import type { PoolClient } from 'pg';
import type { Deps } from '../../deps.ts';
import { parseLimits } from '../../parsers/limits.ts';
import { Failure } from '../../schema/failures.ts';
import type { Step, StepResult } from '../../schema/ingestion.ts';
import { MAX_KEPT_ERRORS } from '../../schema/names.ts';
import { START } from '../../schema/records.ts';
import type { Checkpoint } from '../../schema/tables.ts';
import { withTransaction } from '../../stores/client-transaction.ts';
import { createLoader, hasRecords, type Loader, lockContent } from '../../stores/content.ts';
import { bumpContentVersion } from '../../stores/content-versions.ts';
import type { Trx } from '../../stores/database.ts';
import { appendEvents } from '../../stores/events.ts';
import { type FileRow, lockFile, patchFile } from '../../stores/files.ts';
import { askedToStop, keepAlive } from '../context.ts';
import { asJson, readCheckpoint } from './checkpoint.ts';
import { fileEvent } from './events.ts';
import type { CopyBatch, ParserPool } from './parser-thread.ts';

/** Progress runs from 5 to 60 while parsing; the rest belongs to the vectors. */
const PROGRESS_FROM = 5;
const PROGRESS_TO = 60;

/**
 * Parses from the file's checkpoint on. A batch's rows, its checkpoint and its event land in one transaction, so a
 * kill at any moment repeats at most what was parsed and not yet committed. Resolves with `done: false` when asked
 * to stop; throws Failure('no_records') when nothing could be read.
 */
export async function parseFile(deps: Deps, parsers: ParserPool, step: Step): Promise<StepResult> {
  const file = await deps.db.transaction().execute((trx) => lockFile(trx, step));
  let checkpoint = readCheckpoint(file);
  if (checkpoint.parsed) return { done: true, checkpoint: asJson(checkpoint) };
  if (file.object_key === null) throw new Failure('not_found', 'The uploaded bytes are gone; upload the file again');
  const stop = keepAlive(() => checkpoint.parse);
  const load = createLoader();
  const parser = parsers.open({
    key: file.object_key,
    filename: file.filename,
    source: step.source,
    owner: step.owner,
    metadata: file.metadata,
    limits: parseLimits(deps.config),
    resume: checkpoint.parse ?? START,
    // Two batches are in flight, one being parsed and one being loaded: together they are what a kill can cost.
    batchRecords: Math.ceil(deps.config.INGEST_BATCH_RECORDS / 2),
  });
  try {
    for await (const batch of parser.batches) {
      deps.metrics.records.inc({ source: step.source }, batch.count);
      deps.metrics.ingestErrors.inc({ source: step.source }, batch.errors.length);
      checkpoint = await commitBatch(deps, step, load, checkpoint, batch);
      if (askedToStop() && !batch.done) return { done: false, checkpoint: asJson(checkpoint) };
    }
  } finally {
    stop();
    await parser.close();
  }
  await finishParsing(deps, step);
  return { done: true, checkpoint: asJson(checkpoint) };
}

async function commitBatch(
  deps: Deps,
  step: Step,
  load: Loader,
  from: Checkpoint,
  batch: CopyBatch,
): Promise<Checkpoint> {
  const next: Checkpoint = {
    parse: batch.resume,
    parsed: batch.done,
    cause: from.cause ?? batch.cause,
    indexed_after: null,
  };
  await withTransaction(deps, async (trx, client: PoolClient) => {
    // Rows and checkpoint stand or fall together, so a power cut only costs a batch; the step's last transaction is
    // synchronous again and brings all before it to the disk.
    await client.query('SET LOCAL synchronous_commit = off');
    const file = await lockFile(trx, step);
    assertUnmoved(file, from);
    if (batch.count > 0) {
      await lockContent(trx, step.owner, step.source, 'shared');
      await load(client, batch, { file_id: step.file_id, attempt: step.attempt });
      await bumpContentVersion(trx, step.owner, step.source);
    }
    const share = batch.bytes_total === 0 ? 1 : Math.min(1, batch.bytes_done / batch.bytes_total);
    const progress = Math.floor(PROGRESS_FROM + share * (PROGRESS_TO - PROGRESS_FROM));
    await patchFile(trx, step, {
      progress,
      checkpoint: asJson(next),
      total_records: batch.resume.ordinal,
      error_count: batch.resume.errors,
      errors: [...file.errors, ...batch.errors].slice(0, MAX_KEPT_ERRORS).map((e) => ({ ...e })),
    });
    await appendEvents(trx, [
      fileEvent(
        step,
        `progress/${batch.resume.entry}/${batch.resume.offset}/${batch.resume.ordinal}`,
        'processing.progress',
        {
          file_id: step.file_id,
          progress_percent: progress,
          records_processed: batch.resume.ordinal,
        },
      ),
    ]);
  });
  return next;
}

/** A second run of this step (after a lost heartbeat) may have gone on: then this one must not write any more. */
function assertUnmoved(file: FileRow, from: Checkpoint): void {
  const now = JSON.stringify(position(readCheckpoint(file)));
  if (now !== JSON.stringify(position(from)))
    throw new Failure('unavailable', 'Another run of this step has gone on; this one reads anew');
}

function position(checkpoint: Checkpoint): unknown[] {
  const { entry, offset, ordinal, errors } = checkpoint.parse ?? START;
  return [entry, offset, ordinal, errors];
}

async function finishParsing(deps: Deps, step: Step): Promise<void> {
  await deps.db.transaction().execute(async (trx: Trx) => {
    const file = await lockFile(trx, step);
    if (!(await hasRecords(trx, step.file_id))) {
      const first = file.errors[0];
      const example = first
        ? `: ${first.entry}${first.line === null ? '' : ` line ${first.line}`}: ${first.message}`
        : '';
      const code = readCheckpoint(file).cause ?? 'no_records';
      throw new Failure(code, `None of the file's content could be read as ${step.source}${example}`);
    }
    await patchFile(trx, step, { phase: 'indexing', progress: PROGRESS_TO });
  });
}
