/** The worker's side of the parsing threads: one a file, kept warm between files; batches are asked for ahead of their use. */
import { Worker } from 'node:worker_threads';
import type { ParsedBatch, ParseLimits } from '../../parsers/contract.ts';
import type { Config } from '../../schema/config.ts';
import { Failure, type FailureCode } from '../../schema/failures.ts';
import type { JsonObject } from '../../schema/json.ts';
import type { Source } from '../../schema/names.ts';
import type { ResumePoint } from '../../schema/records.ts';
import type { CopyRows } from '../../stores/content.ts';

export interface ParserJob {
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
export interface CopyBatch extends CopyRows, Omit<ParsedBatch, 'account' | 'records'> {
  /** Records that the parser emitted; one id may be among them twice. */
  count: number;
}

export type ToThread = { job: ParserJob } | 'next';
export type FromThread = { batch: CopyBatch } | { failure: { code: FailureCode; detail: string } } | { crash: string };

export interface ParserPool {
  /** Batches in order, ending with one that is `done`. `close` ends the work wherever it is. */
  open(job: ParserJob): { batches: AsyncIterable<CopyBatch>; close(): Promise<void> };
}

/** Memory of a thread's heap: batches are bounded, so more than this is a runaway record. */
const THREAD_HEAP = { maxOldGenerationSizeMb: 160, maxYoungGenerationSizeMb: 24 };

/** One thread waits ready from the start: starting one takes 0.3 s, more than a small file. */
export function createParserPool(config: Config): ParserPool {
  let idle: Worker | undefined;
  const keep = (thread: Worker) => {
    idle = thread;
    thread.unref();
    thread.once('exit', () => {
      if (idle === thread) idle = undefined;
    });
  };
  keep(spawn(config));
  return {
    open(job) {
      const thread = idle ?? spawn(config);
      idle = undefined;
      thread.ref();
      const inbox = createInbox(thread);
      let finished = false;
      async function* batches(): AsyncGenerator<CopyBatch> {
        post(thread, { job });
        post(thread, 'next');
        for (;;) {
          const message = await inbox.take();
          if ('failure' in message) throw new Failure(message.failure.code, message.failure.detail);
          if ('crash' in message) throw new Error(`the parsing thread ended: ${message.crash}`);
          finished = message.batch.done;
          // The next batch is parsed while this one is loaded.
          if (!finished) post(thread, 'next');
          yield message.batch;
          if (finished) return;
        }
      }
      return {
        batches: batches(),
        close: async () => {
          inbox.close();
          if (finished && idle === undefined) {
            keep(thread);
            return;
          }
          await thread.terminate();
          if (idle === undefined) keep(spawn(config));
        },
      };
    },
  };
}

function spawn(config: Config): Worker {
  const thread = new Worker(new URL('./parser-thread-main.ts', import.meta.url), {
    workerData: config,
    resourceLimits: THREAD_HEAP,
  });
  // Waiting, it must neither keep a drained process alive nor end a live one by its own death.
  thread.unref();
  thread.on('error', () => {});
  return thread;
}

function post(thread: Worker, message: ToThread): void {
  thread.postMessage(message);
}

function createInbox(thread: Worker): { take(): Promise<FromThread>; close(): void } {
  const waiting: ((message: FromThread) => void)[] = [];
  const arrived: FromThread[] = [];
  const deliver = (message: FromThread) => {
    const next = waiting.shift();
    if (next) next(message);
    else arrived.push(message);
  };
  const fail = (error: Error & { code?: string }) =>
    deliver(
      error.code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? { failure: { code: 'record_too_large', detail: 'A record needs more memory than a parser may take' } }
        : { crash: error.message },
    );
  thread.on('message', deliver);
  thread.on('error', fail);
  return {
    take: () =>
      new Promise((resolve) => {
        const message = arrived.shift();
        if (message) resolve(message);
        else waiting.push(resolve);
      }),
    close: () => {
      thread.off('message', deliver);
      thread.off('error', fail);
    },
  };
}
