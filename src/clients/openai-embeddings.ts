/** Embeddings from OpenAI or any server that speaks its API (https://platform.openai.com/docs/api-reference/embeddings). */
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../schema/failures.ts';
import type { Embedder } from '../stores/contract.ts';

const OPENAI = 'https://api.openai.com/v1';
/** The API takes 2,048 inputs and 300,000 tokens a request; servers of one's own often take less. */
const BATCH_TEXTS = 128;
const BATCH_CHARACTERS = 200_000;
/** An input may have 8,191 tokens; hardly any script needs more than one a character. */
const MAX_CHARACTERS = 8_000;
const REQUEST_MS = 60_000;
const TRIES = 5;
const FIRST_WAIT_MS = 500;
/** A server that asks for more patience than this gets it from the caller's own retry. */
const LONGEST_WAIT_MS = 30_000;

export interface OpenAiOptions {
  apiKey?: string | undefined;
  /** With its path, as in `http://127.0.0.1:11434/v1`. */
  baseUrl?: string | undefined;
  model: string;
  dimensions: number;
  /** Before the first repetition; doubles each time. Only tests set it. */
  firstWaitMs?: number;
}

/**
 * Throws Failure('semantic_unavailable') when the server refuses what no repetition can mend, and
 * Failure('unavailable') when it does not answer or is too busy after five tries.
 */
export function openAiEmbedder(options: OpenAiOptions): Embedder {
  const { model, dimensions } = options;
  const url = `${(options.baseUrl ?? OPENAI).replace(/\/+$/, '')}/embeddings`;
  const { host } = new URL(url);
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (options.apiKey) headers['authorization'] = `Bearer ${options.apiKey}`;
  const closing = new AbortController();

  async function request(input: string[], signal: AbortSignal): Promise<Float32Array[]> {
    const body = JSON.stringify({ model, input, dimensions, encoding_format: 'float' });
    let wait = options.firstWaitMs ?? FIRST_WAIT_MS;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await call(body, signal);
      if ('answer' in outcome) return readVectors(outcome.answer, input.length);
      const pause = outcome.retryAfterMs ?? wait * (0.75 + Math.random() / 2);
      if (attempt === TRIES || pause > LONGEST_WAIT_MS) {
        throw new Failure('unavailable', `The embedding server at ${host} ${outcome.problem}`, {
          retryAfterSeconds: Math.ceil(pause / 1_000),
        });
      }
      await sleep(pause, undefined, { signal });
      wait *= 2;
    }
  }

  /** The answer, or what stood in its way and may pass. */
  async function call(
    body: string,
    signal: AbortSignal,
  ): Promise<{ answer: unknown } | { problem: string; retryAfterMs?: number | undefined }> {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
      const response = await fetch(url, { method: 'POST', headers, body, signal: limit, redirect: 'error' });
      if (response.ok) return { answer: await response.json() };
      const code = await errorCode(response);
      const problem = `answered ${response.status}${code ? ` (${code})` : ''}`;
      const passing = response.status === 408 || response.status === 429 || response.status >= 500;
      // A used-up budget is told as 429 too, but waiting does not refill it.
      if (passing && code !== 'insufficient_quota') return { problem, retryAfterMs: retryAfter(response) };
      throw new Failure('semantic_unavailable', `The embedding server at ${host} ${problem}`);
    } catch (error) {
      if (error instanceof Failure) throw error;
      signal.throwIfAborted();
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const reason = cause instanceof Error ? ('code' in cause ? String(cause.code) : cause.name) : 'unknown';
      return { problem: `does not answer (${reason})` };
    }
  }

  function readVectors(answer: unknown, count: number): Float32Array[] {
    const data = isObject(answer) && Array.isArray(answer['data']) ? answer['data'] : [];
    const vectors: Float32Array[] = new Array(count);
    for (const [at, item] of data.entries()) {
      if (!isObject(item) || !Array.isArray(item['embedding'])) continue;
      vectors[typeof item['index'] === 'number' ? item['index'] : at] = normalise(item['embedding']);
    }
    if (data.length !== count || Object.keys(vectors).length !== count || vectors.length !== count) {
      throw new Failure('semantic_unavailable', `The embedding server at ${host} did not answer every text once`);
    }
    return vectors;
  }

  function normalise(values: unknown[]): Float32Array {
    if (values.length !== dimensions) {
      throw new Failure(
        'semantic_unavailable',
        `The embedding server at ${host} makes ${values.length} dimensions with ${model}: set EMBEDDING_DIMENSIONS=${values.length}`,
      );
    }
    const vector = Float32Array.from(values, Number);
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    if (!Number.isFinite(length) || length === 0) {
      throw new Failure('semantic_unavailable', `The embedding server at ${host} answered with no usable numbers`);
    }
    return vector.map((value) => value / length);
  }

  return {
    name: `openai:${model}:${dimensions}`,
    dimensions,

    async embed(texts, signal) {
      const either = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal;
      either.throwIfAborted();
      const vectors: Float32Array[] = [];
      for (const batch of batches(texts)) vectors.push(...(await request(batch, either)));
      return vectors;
    },

    async close() {
      closing.abort(new Failure('unavailable', 'The embedder is closed'));
    },
  };
}

function* batches(texts: string[]): Generator<string[]> {
  let batch: string[] = [];
  let characters = 0;
  for (const text of texts) {
    // The API refuses an empty input; a blank one stands for it.
    const input = text.slice(0, MAX_CHARACTERS).toWellFormed() || ' ';
    if (batch.length === BATCH_TEXTS || (batch.length > 0 && characters + input.length > BATCH_CHARACTERS)) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(input);
    characters += input.length;
  }
  if (batch.length > 0) yield batch;
}

/** The code alone: the message of such an error may repeat the input. */
async function errorCode(response: Response): Promise<string | null> {
  const body: unknown = await response.json().catch(() => null);
  const error = isObject(body) ? body['error'] : null;
  const code = isObject(error) ? (error['code'] ?? error['type']) : null;
  return typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) ? code : null;
}

/** Seconds or a date (RFC 9110, 10.2.3), as milliseconds from now. */
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  if (value === null) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
