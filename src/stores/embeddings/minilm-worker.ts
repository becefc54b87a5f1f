/** The thread that runs MiniLM, so that a second of arithmetic never holds up the main loop. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { Tokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';

export interface WorkerSettings {
  folder: string;
  threads: number;
}
export type Request = { id: number; texts: string[] } | { close: true };
export type Reply = { id: number; vectors: Float32Array } | { id: number; error: string } | { ready: true };

/** The length that the model was tuned for; the rest of a text is left out. */
const MAX_TOKENS = 256;
/** Padded tokens of one run: memory stays at tens of megabytes whatever the texts. */
const RUN_TOKENS = 2_048;
const DIMENSIONS = 384;

const { folder, threads } = workerData as WorkerSettings;
const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread');

const readJson = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'));
const tokenizer = new Tokenizer(await readJson('tokenizer.json'), await readJson('tokenizer_config.json'));
const session = await InferenceSession.create(join(folder, 'model.onnx'), {
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
});

let queue = Promise.resolve();
port.on('message', (request: Request) => {
  queue = queue.then(async () => {
    if ('close' in request) {
      await session.release();
      port.close();
      return;
    }
    try {
      const vectors = await embed(request.texts);
      port.postMessage({ id: request.id, vectors } satisfies Reply, [vectors.buffer as ArrayBuffer]);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      port.postMessage({ id: request.id, error: message } satisfies Reply);
    }
  });
});
port.postMessage({ ready: true } satisfies Reply);

/** All vectors in one block, in the order of `texts`. Texts of like length run together, so little is padding. */
async function embed(texts: string[]): Promise<Float32Array> {
  const encoded = texts.map((text, at) => ({ at, ids: tokenize(text) }));
  encoded.sort((a, b) => b.ids.length - a.ids.length);
  const vectors = new Float32Array(texts.length * DIMENSIONS);
  for (let from = 0; from < encoded.length; ) {
    const longest = encoded[from]?.ids.length ?? 1;
    const batch = encoded.slice(from, from + Math.max(1, Math.floor(RUN_TOKENS / longest)));
    const output = await run(
      batch.map(({ ids }) => ids),
      longest,
    );
    batch.forEach(({ at }, row) => {
      vectors.set(output.subarray(row * DIMENSIONS, (row + 1) * DIMENSIONS), at * DIMENSIONS);
    });
    from += batch.length;
  }
  return vectors;
}

function tokenize(text: string): number[] {
  const { ids } = tokenizer.encode(text);
  // The last token marks the end and stays.
  return ids.length <= MAX_TOKENS ? ids : [...ids.slice(0, MAX_TOKENS - 1), ids.at(-1) ?? 0];
}

async function run(rows: number[][], length: number): Promise<Float32Array> {
  const ids = new BigInt64Array(rows.length * length);
  const mask = new BigInt64Array(rows.length * length);
  rows.forEach((row, at) => {
    row.forEach((id, position) => {
      ids[at * length + position] = BigInt(id);
      mask[at * length + position] = 1n;
    });
  });
  const shape = [rows.length, length];
  const { embedding } = await session.run({
    input_ids: new Tensor('int64', ids, shape),
    attention_mask: new Tensor('int64', mask, shape),
  });
  if (!(embedding?.data instanceof Float32Array)) throw new Error('The model gave no vectors');
  return embedding.data;
}
