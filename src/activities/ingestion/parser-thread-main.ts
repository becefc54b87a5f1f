/** A parsing thread: for each job it reads the object, parses, hashes, and answers each `next` with one batch as COPY text. */
import { parentPort, workerData } from 'node:worker_threads';
import { createLog } from '../../logging.ts';
import { parseUpload } from '../../parsers/parse-upload.ts';
import { objectAccess } from '../../parsers/readers/access.ts';
import type { Config } from '../../schema/config.ts';
import { Failure } from '../../schema/failures.ts';
import { copyRows } from '../../stores/copy-rows.ts';
import { openObjects } from '../../stores/objects/index.ts';
import type { CopyBatch, FromThread, ParserJob, ToThread } from './parser-thread.ts';

const port = parentPort;
if (!port) throw new Error('this file runs as a thread only');
const config = workerData as Config;
const log = createLog(config.LOG_LEVEL, 'parser');
const objects = await openObjects(config);
const encoder = new TextEncoder();
/** The first batch is small, so that the database begins while the second is being parsed. */
const FIRST_BATCH = 1_000;
/** Text of a batch: it stands in memory some four times between the parser and the database. */
const BATCH_BYTES = 4 * 1024 * 1024;

async function* copyBatches(job: ParserJob): AsyncGenerator<CopyBatch> {
  const access = await objectAccess(objects, job.key);
  try {
    const { key, owner, source, ...options } = job;
    const parsed = parseUpload(access, { ...options, source, firstBatchRecords: FIRST_BATCH, batchBytes: BATCH_BYTES });
    for await (const { account, records, ...rest } of parsed) {
      const { text, ids } = copyRows(records, { owner, source, account: account ?? 'default' });
      // What was emitted is counted from outside by this line, whatever becomes of the batch.
      log.debug({ object: key, emitted: records.length, upto: rest.resume.ordinal }, 'batch parsed');
      yield { ...rest, rows: encoder.encode(text), ids, count: records.length };
    }
  } finally {
    await access.close();
  }
}

let batches: AsyncGenerator<CopyBatch> | undefined;
let turn: Promise<void> = Promise.resolve();

// One batch a request, in order, however quickly they are asked for.
port.on('message', (message: ToThread) => {
  if (message === 'next') turn = turn.then(answer);
  else batches = copyBatches(message.job);
});

async function answer(): Promise<void> {
  try {
    const next = await batches?.next();
    if (!next || next.done) return;
    send({ batch: next.value }, [next.value.rows.buffer as ArrayBuffer]);
    // Its `done` was the last word; running to the end closes the object.
    if (next.value.done) await batches?.next();
  } catch (error) {
    if (error instanceof Failure) send({ failure: { code: error.code, detail: error.message } });
    else send({ crash: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

function send(message: FromThread, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}
