/** JSON bodies: typed, bounded, and when malformed, told where. */
import { inBodyTime } from '../schema/body-time.ts';
import { Failure } from '../schema/failures.ts';
import type { ApiContext } from './context.ts';

export const MAX_JSON_BYTES = 1024 * 1024;

/** The body as an object; `{}` when there is none. Throws Failure 415, 413, 408 (after `seconds`) or 400. */
export async function readJsonObject(c: ApiContext, seconds: number): Promise<Record<string, unknown>> {
  const bytes = await readBounded(c, MAX_JSON_BYTES, seconds);
  if (bytes.length === 0) return {};
  const type = (c.req.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type !== 'application/json' && !/^application\/[a-z0-9.+-]+\+json$/.test(type)) {
    throw new Failure('unsupported_type', `Content-Type must be application/json, not ${JSON.stringify(type)}`);
  }
  const value = parseJson(decode(bytes));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Failure('invalid_input', 'The body must be a JSON object');
  }
  return value as Record<string, unknown>;
}

/**
 * At most `limit` bytes of the body; an announced or actual excess is `payload_too_large`, and what is not whole within
 * `seconds` is `request_timeout`.
 */
export async function readBounded(c: ApiContext, limit: number, seconds: number): Promise<Buffer> {
  if (Number(c.req.header('content-length') ?? 0) > limit) throw tooLarge(limit);
  const body = c.req.raw.body;
  return body === null ? Buffer.alloc(0) : inBodyTime(readAll(body, limit), seconds);
}

async function readAll(body: NonNullable<Request['body']>, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > limit) throw tooLarge(limit);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('upload_broken', 'The connection ended before the body did', { cause: error });
  }
  return Buffer.concat(chunks);
}

function tooLarge(limit: number): Failure {
  return new Failure('payload_too_large', `The body is over ${limit} bytes`);
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Failure('invalid_input', 'The body is not valid UTF-8');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const at = Number(/at position (\d+)/.exec((error as Error).message)?.[1] ?? text.length);
    const before = text.slice(0, at).split('\n');
    const where = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    throw new Failure('invalid_input', `Malformed JSON at position ${at} (${where})`, {
      faults: [{ path: '(body)', message: `malformed JSON at position ${at}` }],
    });
  }
}
