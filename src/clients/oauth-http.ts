/** Calls to the identity services that the operator configured: bounded in time and size, redirects not followed. */
import { Failure } from '../schema/failures.ts';

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;
const LONGEST_RETRY_SECONDS = 60;

export interface IdentityCall {
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
}

export interface IdentityAnswer {
  status: number;
  text: string;
  /** The answer as a failure, for a status that the caller cannot use. */
  outage(): Failure;
}

/** Only tests give another. */
export type IdentityHttp = (url: string, call?: IdentityCall) => Promise<IdentityAnswer>;

/**
 * The addresses come from the settings, never from a caller or an answer of another origin, so they may be private and
 * pass no egress guard. Throws Failure('unavailable'), whose message names the host and the reason, when no whole
 * answer of at most 256 KiB is there within 5 s.
 */
export function createIdentityHttp(options: { timeoutMs?: number } = {}): IdentityHttp {
  return async (url, call = {}) => {
    const { host } = new URL(url);
    try {
      const response = await fetch(url, {
        method: call.method ?? 'GET',
        headers: { accept: 'application/json', 'user-agent': 'ostinato', ...call.headers },
        body: call.body ?? null,
        redirect: 'manual',
        signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
      });
      const text = await readText(response, host);
      const { status } = response;
      const wait = retryAfter(response);
      return { status, text, outage: () => outage(host, `answered ${status}`, wait) };
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw outage(host, `does not answer (${reasonOf(error)})`, { cause: error });
    }
  };
}

/** `unavailable`, with a wait only where the other side asked for one. */
export function outage(
  host: string,
  problem: string,
  options: { retryAfterSeconds?: number; cause?: unknown } = {},
): Failure {
  return new Failure('unavailable', `The identity service at ${host} ${problem}`, options);
}

/** The answer as a JSON object, or `unavailable`: what cannot be read says nothing about a token. */
export function readObject(answer: IdentityAnswer, host: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(answer.text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Falls through to the one answer.
  }
  throw outage(host, 'answered with something that is no JSON object');
}

async function readText(response: Response, host: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop early cancels the body.
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw outage(host, `sends more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function retryAfter(response: Response): { retryAfterSeconds?: number } {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return seconds > 0 ? { retryAfterSeconds: Math.min(Math.ceil(seconds), LONGEST_RETRY_SECONDS) } : {};
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return 'unknown';
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name;
}
