/** The parsing thread: reads the object, parses, hashes, and answers each `next` with one batch as COPY text. */
import { parentPort, workerData } from 'node:worker_threads';
import { createLog } from '../../logging.ts';
import { parseUpload } from '../../parsers/parse-upload.ts';
import { objectAccess } from '../../parsers/readers/access.ts';
import { Failure } from '../../schema/failures.ts';
import { copyRow } from '../../stores/copy-rows.ts';
import { openObjects } from '../../stores/objects/index.ts';
import type { CopyBatch, FromThread, ParserJob } from './parser-thread.ts';

const port = parentPort;
if (!port) throw new Error('this file runs as a thread only');
const job = workerData as ParserJob;
const log = createLog(job.config.LOG_LEVEL, 'parser');

async function* copyBatches(): AsyncGenerator<CopyBatch> {
  const objects = await openObjects(job.config);
  const access = await objectAccess(objects, job.key);
  try {
    const parsed = parseUpload(access, {
      source: job.source,
      filename: job.filename,
      metadata: job.metadata,
      limits: job.limits,
      resume: job.resume,
      batchRecords: job.batchRecords,
    });
    for await (const { account, records, ...rest } of parsed) {
      const owner = { owner: job.owner, source: job.source, account: account ?? 'default' };
      const text = records.map((record, index) => copyRow(record, index, owner)).join('');
      // What was emitted is counted from outside by this line, whatever becomes of the batch.
      log.debug({ object: job.key, emitted: records.length, upto: rest.resume.ordinal }, 'batch parsed');
      yield { ...rest, rows: encoder.encode(text), count: records.length };
    }
  } finally {
    await access.close();
    await objects.close();
  }
}

const encoder = new TextEncoder();
const batches = copyBatches();
let turn: Promise<void> = Promise.resolve();

// One batch a request, in order, however quickly they are asked for.
port.on('message', () => {
  turn = turn.then(answer);
});

async function answer(): Promise<void> {
  try {
    const next = await batches.next();
    if (next.done) return;
    send({ batch: next.value }, [next.value.rows.buffer as ArrayBuffer]);
  } catch (error) {
    if (error instanceof Failure) send({ failure: { code: error.code, detail: error.message } });
    else send({ crash: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

function send(message: FromThread, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}
