/** The API over HTTP: requests with the key, answers by their schema, refusals as errors with an exit code. */
import { Agent, type Dispatcher, request } from 'undici';
import type { z } from 'zod';
import { connectionError } from './connection.ts';
import type { Target } from './credentials.ts';
import { CliError, problemError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

export type Query = Record<string, string | number | undefined>;

export interface CallOptions {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
  /** A repeat with the same key leads to what the first one started. */
  idempotencyKey?: string | undefined;
}

/** An answer whose body is still to be read. */
export interface OpenAnswer {
  status: number;
  body: Dispatcher.ResponseData['body'];
}

export interface Api {
  readonly url: string;
  /** JSON in, JSON out, checked by `schema`. Throws CliError for refusals and connection faults. */
  call<T extends z.ZodType>(
    schema: T,
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    options?: CallOptions,
  ): Promise<z.output<T>>;
  /** Sends a body that is made while it is sent. The same errors. */
  send<T extends z.ZodType>(
    schema: T,
    path: string,
    options: { headers: Record<string, string>; body: AsyncIterable<Uint8Array>; signal: AbortSignal },
  ): Promise<z.output<T>>;
  /** Opens a stream of events; the body never times out by itself. The same errors. */
  open(path: string, options: { headers: Record<string, string>; signal: AbortSignal }): Promise<OpenAnswer>;
  close(): Promise<void>;
}

/** An answer to a question takes seconds at most; the last byte of a big upload may be followed by some work. */
const ANSWER_MS = 60_000;
const UPLOAD_ANSWER_MS = 600_000;
/** The stream of events sends a comment every 15 s. */
const SILENCE_MS = 60_000;
const MAX_PROBLEM_BYTES = 1024 * 1024;

export function createApi(target: Target, options: { version: string; signal: AbortSignal }): Api {
  const agent = new Agent({ connect: { timeout: 10_000 }, headersTimeout: ANSWER_MS, bodyTimeout: SILENCE_MS });
  const base = { authorization: `Bearer ${target.apiKey}`, 'user-agent': `ostinato-cli/${options.version}` };

  async function fetch(path: string, init: Omit<Dispatcher.RequestOptions, 'path' | 'origin'>): Promise<OpenAnswer> {
    const url = new URL(target.url + path);
    try {
      const answer = await request(url, { ...init, dispatcher: agent, signal: init.signal ?? options.signal });
      if (answer.statusCode >= 200 && answer.statusCode < 300) return { status: answer.statusCode, body: answer.body };
      throw await refusal(answer, `${init.method} ${url.pathname}`, target.url);
    } catch (error) {
      throw connectionError(error, target.url);
    }
  }

  async function read<T extends z.ZodType>(schema: T, answer: OpenAnswer, path: string): Promise<z.output<T>> {
    let value: unknown;
    try {
      value = JSON.parse(await answer.body.text());
    } catch (error) {
      if (error instanceof SyntaxError) throw strange(target.url, 'its answer is not JSON');
      throw connectionError(error, target.url);
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw strange(target.url, `its answer to ${path} has an unexpected ${issue?.path.join('.') || 'form'}`);
  }

  return {
    url: target.url,
    async call(schema, method, path, { query, body, signal, idempotencyKey } = {}) {
      const answer = await fetch(path + search(query), {
        method,
        headers: {
          ...base,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal ? { signal } : {}),
      });
      return read(schema, answer, path);
    },
    async send(schema, path, { headers, body, signal }) {
      const answer = await fetch(path, {
        method: 'POST',
        headers: { ...base, accept: 'application/json', ...headers },
        // undici takes any async iterable of bytes; its types name only some of them.
        body: body as unknown as NonNullable<Dispatcher.RequestOptions['body']>,
        headersTimeout: UPLOAD_ANSWER_MS,
        signal,
      });
      return read(schema, answer, path);
    },
    open: (path, { headers, signal }) => fetch(path, { method: 'GET', headers: { ...base, ...headers }, signal }),
    close: () => agent.destroy(),
  };
}

/** `?a=1&b=2` of what is defined. */
function search(query: Query | undefined): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

async function refusal(answer: Dispatcher.ResponseData, where: string, url: string): Promise<CliError> {
  const text = await limited(answer.body, MAX_PROBLEM_BYTES);
  try {
    const problem: unknown = JSON.parse(text);
    if (typeof problem === 'object' && problem !== null && 'code' in problem) {
      return problemError(answer.statusCode, problem as Record<string, unknown>, where);
    }
  } catch {
    // Not a problem document: what answers is not our API, or a proxy before it.
  }
  return strange(url, `HTTP ${answer.statusCode} to ${where}`);
}

async function limited(body: AsyncIterable<Buffer>, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > most) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function strange(url: string, what: string): CliError {
  return new CliError(EXIT.unreachable, `What answers at ${url} does not speak this API: ${what}`, {
    hint: 'Name the right address with --url or OSTINATO_URL.',
  });
}
