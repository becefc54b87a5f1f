/** The worker's side of the parsing thread: asks for batches ahead of their use and hands them on in order. */
import { Worker } from 'node:worker_threads';
import type { ParseLimits } from '../../parsers/contract.ts';
import type { Config } from '../../schema/config.ts';
import { Failure, type FailureCode } from '../../schema/failures.ts';
import type { JsonObject } from '../../schema/json.ts';
import type { Source } from '../../schema/names.ts';
import type { EntryError, ResumePoint } from '../../schema/records.ts';

export interface ParserJob {
  config: Config;
  key: string;
  filename: string;
  source: Source;
  owner: string;
  metadata: JsonObject;
  limits: ParseLimits;
  resume: ResumePoint;
  batchRecords: number;
}

/** A parsed batch, its records already as COPY text. */
export interface CopyBatch {
  rows: Uint8Array;
  count: number;
  errors: EntryError[];
  cause: FailureCode | null;
  resume: ResumePoint;
  bytes_done: number;
  bytes_total: number;
  done: boolean;
}

export type FromThread = { batch: CopyBatch } | { failure: { code: FailureCode; detail: string } } | { crash: string };

/** Memory of the thread's heap: batches are bounded, so more than this is a runaway record. */
const THREAD_HEAP_MB = 256;

/** `close` ends the thread whatever it is doing. */
export function openParser(job: ParserJob): { batches: AsyncIterable<CopyBatch>; close(): Promise<void> } {
  const thread = new Worker(new URL('./parser-thread-main.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MB },
  });
  const waiting: ((message: FromThread) => void)[] = [];
  const arrived: FromThread[] = [];
  const deliver = (message: FromThread) => {
    const next = waiting.shift();
    if (next) next(message);
    else arrived.push(message);
  };
  thread.on('message', deliver);
  thread.on('error', (error: Error & { code?: string }) =>
    deliver(
      error.code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? { failure: { code: 'record_too_large', detail: 'A record needs more memory than a parser may take' } }
        : { crash: error.message },
    ),
  );
  const take = () =>
    new Promise<FromThread>((resolve) => {
      const message = arrived.shift();
      if (message) resolve(message);
      else waiting.push(resolve);
    });
  async function* batches(): AsyncGenerator<CopyBatch> {
    thread.postMessage('next');
    for (;;) {
      const message = await take();
      if ('failure' in message) throw new Failure(message.failure.code, message.failure.detail);
      if ('crash' in message) throw new Error(`the parsing thread ended: ${message.crash}`);
      // The next batch is parsed while this one is loaded.
      if (!message.batch.done) thread.postMessage('next');
      yield message.batch;
      if (message.batch.done) return;
    }
  }
  return {
    batches: batches(),
    close: async () => {
      await thread.terminate();
    },
  };
}
