/** Webhooks of callers: one signed delivery, and what is made of its answer. */
import { Failure } from '../schema/failures.ts';
import { signWebhook } from './agent-calls.ts';
import type { Egress } from './egress.ts';

/** A receiver that needs longer should take the event and work on it afterwards. */
const ANSWER_MS = 15_000;
const MAX_ANSWER_BYTES = 64 * 1024;
/** Most seconds that a receiver may put us off with `Retry-After`. */
const MAX_RETRY_AFTER = 6 * 3_600;

export type WebhookAnswer =
  | { delivered: true }
  /** `final`: the receiver does not want it, now or later. */
  | { delivered: false; error: string; final: boolean; retryAfterSeconds: number | null };

/** One POST. Redirects are not followed; 410 says that the address is gone. Throws only what `signal` was aborted with. */
export async function postWebhook(
  egress: Egress,
  message: {
    url: string;
    id: string;
    body: string;
    /** Each gives a signature. */
    keys: Buffer[];
    headers: Record<string, string>;
    signal?: AbortSignal;
  },
): Promise<WebhookAnswer> {
  const { url, id, body, keys, headers, signal } = message;
  try {
    const { status, headers: answered } = await egress.fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', ...signWebhook(keys, { id, body }) },
      body,
      maxBytes: MAX_ANSWER_BYTES,
      timeoutMs: ANSWER_MS,
      httpsOnly: true,
      ...(signal ? { signal } : {}),
    });
    if (status >= 200 && status < 300) return { delivered: true };
    const error = `${new URL(url).host} answered ${status}`;
    return { delivered: false, error, final: status === 410, retryAfterSeconds: retryAfter(answered['retry-after']) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { delivered: false, error: error.message, final: false, retryAfterSeconds: null };
  }
}

/** Seconds, or a date (RFC 9110, section 10.2.3); null for neither. */
export function retryAfter(value: string | undefined, now = Date.now()): number | null {
  if (value === undefined) return null;
  const seconds = /^\d{1,9}$/.test(value.trim()) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Number.isFinite(seconds) ? Math.min(MAX_RETRY_AFTER, Math.max(0, Math.ceil(seconds))) : null;
}
