/** Webhooks of callers: whether an address may be used at all, and one signed delivery to it. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { Failure } from '../schema/failures.ts';
import { signWebhook } from './agent-calls.ts';
import type { Egress } from './egress.ts';
import { bareHost, egressRules } from './egress-rules.ts';

/** A receiver that needs longer should take the event and work on it afterwards. */
const ANSWER_MS = 15_000;
const MAX_ANSWER_BYTES = 64 * 1024;
/** Most seconds that a receiver may put us off with `Retry-After`. */
const MAX_RETRY_AFTER = 6 * 3_600;

/**
 * Checks an address as the guard will when it is called. Throws Failure('egress_denied'); a name that cannot be resolved
 * at this moment passes, since the call itself is checked again.
 */
export async function checkWebhook(address: string, allow: string[]): Promise<void> {
  const target = new URL(address);
  const host = bareHost(target.hostname);
  const port = Number(target.port) || (target.protocol === 'https:' ? 443 : 80);
  if (target.username || target.password) {
    throw new Failure('egress_denied', `The address of ${host} holds credentials; name a stored credential instead`);
  }
  const rules = egressRules(allow);
  if (rules.lists(host, port)) return;
  if (target.protocol !== 'https:') {
    throw new Failure('egress_denied', `${host} is named over http; https is needed, or the host in EGRESS_ALLOW`);
  }
  const addresses = isIP(host) ? [host] : await resolve(host);
  for (const one of addresses) {
    const refusal = rules.refusal(one, port);
    if (refusal) {
      throw new Failure(
        'egress_denied',
        `${host} leads to an address that is not public (${refusal}); EGRESS_ALLOW can list it`,
      );
    }
  }
}

async function resolve(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}

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
