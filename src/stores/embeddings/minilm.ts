/** MiniLM in a worker thread: 384 dimensions without any server, loaded when first needed. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Failure } from '../../schema/failures.ts';
import type { Embedder } from '../contract.ts';
import { type Progress, resolveMiniLm } from './minilm-files.ts';
import type { Reply, Request, WorkerSettings } from './minilm-worker.ts';

export const MINILM_DIMENSIONS = 384;
/** 256 tokens are some 1,200 characters of prose; this much is enough for the densest text. */
const MAX_CHARACTERS = 8_192;
/** What one turn of the thread takes at most: a query waits behind a bulk load for one such turn, not for all. */
const TURN_TEXTS = 32;
const TURN_CHARACTERS = 16_384;
/** After a failure to fetch or load, callers get the same answer for so long before it is tried again. */
const RETRY_MS = 60_000;

/**
 * Nothing is read or fetched before the first `embed` (an empty list warms up). Fetches the weights when they are not
 * in the cache, and throws Failure('semantic_unavailable') with the reason when they cannot be had.
 */
export function miniLmEmbedder(options: {
  cacheDir: string;
  timeoutMs: number;
  onProgress?: Progress | undefined;
  threads?: number;
}): Embedder {
  let thread: Promise<Thread> | null = null;
  let closed = false;
  const closing = new AbortController();

  function started(): Promise<Thread> {
    if (closed) throw new Failure('unavailable', 'The embedder is closed');
    if (thread) return thread;
    const starting = resolveMiniLm({ ...options, signal: closing.signal }).then((folder) =>
      startThread({ folder, threads: options.threads ?? Math.min(4, availableParallelism()) }, () => {
        // It ended on its own: the next call starts another.
        if (thread === starting) thread = null;
      }),
    );
    thread = starting;
    starting.catch(() => {
      setTimeout(() => {
        if (thread === starting) thread = null;
      }, RETRY_MS).unref();
    });
    return starting;
  }

  return {
    name: 'all-MiniLM-L6-v2',
    dimensions: MINILM_DIMENSIONS,

    async embed(texts, signal) {
      signal?.throwIfAborted();
      const { send } = await started();
      const cut = texts.map((text, at) => ({ at, text: text.slice(0, MAX_CHARACTERS) }));
      cut.sort((a, b) => b.text.length - a.text.length);
      const vectors: Float32Array[] = new Array(texts.length);
      for (let from = 0; from < cut.length; ) {
        signal?.throwIfAborted();
        const longest = Math.max(1, cut[from]?.text.length ?? 1);
        const turn = cut.slice(from, from + Math.min(TURN_TEXTS, Math.ceil(TURN_CHARACTERS / longest)));
        const block = await send(turn.map(({ text }) => text));
        turn.forEach(({ at }, row) => {
          vectors[at] = block.slice(row * MINILM_DIMENSIONS, (row + 1) * MINILM_DIMENSIONS);
        });
        from += turn.length;
      }
      return vectors;
    },

    async close() {
      closed = true;
      // A fetch that runs is given up rather than waited for.
      closing.abort();
      const running = await thread?.catch(() => null);
      await running?.stop();
    },
  };
}

interface Thread {
  /** Vectors of all texts in one block. */
  send(texts: string[]): Promise<Float32Array>;
  stop(): Promise<void>;
}

async function startThread(settings: WorkerSettings, onExit: () => void): Promise<Thread> {
  const worker = new Worker(new URL('./minilm-worker.ts', import.meta.url), { workerData: settings });
  const waiting = new Map<number, { resolve(vectors: Float32Array): void; reject(error: unknown): void }>();
  let next = 1;
  let reason: unknown = 'it ended';
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      onExit();
      for (const { reject } of waiting.values()) reject(stopped(reason));
      waiting.clear();
      resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    worker.once('exit', () => reject(stopped(reason)));
    worker.on('error', (error) => {
      reason = error;
    });
    worker.on('message', (reply: Reply) => {
      if ('ready' in reply) {
        resolve();
        return;
      }
      const call = waiting.get(reply.id);
      waiting.delete(reply.id);
      if ('vectors' in reply) call?.resolve(reply.vectors);
      else call?.reject(new Failure('internal', `The embedding model failed: ${reply.error}`));
    });
  });
  // An idle model keeps no process alive; a call that waits does.
  worker.unref();
  return {
    send(texts) {
      const id = next;
      next += 1;
      worker.ref();
      return new Promise<Float32Array>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker.postMessage({ id, texts } satisfies Request);
      }).finally(() => {
        if (waiting.size === 0) worker.unref();
      });
    },
    async stop() {
      worker.ref();
      worker.postMessage({ close: true } satisfies Request);
      await exited;
    },
  };
}

function stopped(reason: unknown): Failure {
  const detail = reason instanceof Error ? reason.message.split('\n')[0] : String(reason);
  return new Failure('semantic_unavailable', `The embedding model is not running: ${detail}`, { cause: reason });
}
