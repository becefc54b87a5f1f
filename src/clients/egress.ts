/** The one guard for outgoing calls: what it lets through goes to public or listed addresses, bounded in time and size. */
import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, buildConnector, type Dispatcher, request } from 'undici';
import { Failure } from '../schema/failures.ts';
import { bareHost, type EgressRules, egressRules } from './egress-rules.ts';

const MAX_REDIRECTS = 5;
const CONNECT_MS = 10_000;
/** Most time that checking a name takes of whoever asks. */
const RESOLVE_MS = 3_000;

export interface EgressOptions {
  /** Hosts and CIDR blocks that may be reached although they are private, by EGRESS_ALLOW. */
  allow: string[];
  /** Most bytes of a response body. */
  maxBytes: number;
  /** Most time from the call to the last byte. */
  timeoutMs: number;
  /** Name resolution; only tests set it. */
  lookup?: LookupFunction;
}

export interface EgressRequest {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
  maxBytes?: number;
  timeoutMs?: number;
  /** Refuses plain http unless the host is listed. `stream` sets it. */
  httpsOnly?: boolean;
  /** Lets `stream` hand over what any status brings. */
  anyStatus?: boolean;
}

export interface EgressHead {
  status: number;
  headers: Record<string, string>;
  /** Where the last redirect led. */
  url: string;
}

export interface Egress {
  /** A whole response, whatever its status. */
  fetch(url: string, options?: EgressRequest): Promise<EgressHead & { body: Buffer }>;
  /** A response whose body is read as it comes; https only unless the host is listed; a status but 2xx throws. */
  stream(url: string, options?: EgressRequest): Promise<EgressHead & { body: AsyncIterable<Buffer> }>;
  /**
   * Throws Failure('egress_denied') when a call there would be refused now. A name that nobody knows passes: it may be
   * made later, and every call checks again.
   */
  check(url: string, options?: Pick<EgressRequest, 'httpsOnly'>): Promise<void>;
  close(): Promise<void>;
}

/**
 * Every address is checked in the very lookup whose answer is connected to, so a name cannot answer twice differently.
 * Redirects are followed within the same host only, and with credentials to the same port, five at most, each checked
 * anew. Throws Failure('egress_denied')
 * or Failure('fetch_failed'), which name the host and the reason and never repeat what the other side said; the cause
 * of one that was answered, in a way that is of no use, is `{status}`.
 */
export function createEgress(options: EgressOptions): Egress {
  const rules = egressRules(options.allow);
  const lookup = options.lookup ?? systemLookup;
  const agent = new Agent({
    // The signal of each call bounds it; the library would give up on an answer that is long in coming after 5 minutes.
    headersTimeout: 0,
    bodyTimeout: 0,
    // A connector for each connection, since a lookup is not told the port that rules may name.
    connect(target, callback) {
      const port = Number(target.port) || (target.protocol === 'https:' ? 443 : 80);
      buildConnector({ lookup: checkedLookup(rules, lookup, port), timeout: CONNECT_MS })(target, callback);
    },
  });

  async function open(
    url: string,
    call: EgressRequest,
    signal: AbortSignal,
  ): Promise<EgressHead & { raw: Dispatcher.ResponseData }> {
    let target = parse(url);
    for (let redirects = 0; ; redirects += 1) {
      checkTarget(target, rules, call.httpsOnly ?? false);
      const raw = await attempt(target, signal, () =>
        request(target, {
          dispatcher: agent,
          method: call.method ?? 'GET',
          headers: { 'user-agent': 'ostinato', ...call.headers },
          body: call.body ?? null,
          signal,
        }),
      );
      // Destroyed or timed out before anybody reads it, a body tells by an event that would end the process.
      raw.body.on('error', () => undefined);
      const location = raw.headers['location'];
      if (raw.statusCode < 300 || raw.statusCode > 399 || location === undefined || raw.statusCode === 304) {
        return { status: raw.statusCode, headers: flatten(raw.headers), url: target.href, raw };
      }
      raw.body.destroy();
      target = redirected(target, { status: raw.statusCode, location: String(location) }, call, redirects);
    }
  }

  async function* bounded(raw: Dispatcher.ResponseData, target: string, limit: number, signal: AbortSignal) {
    const { host } = new URL(target);
    try {
      let seen = 0;
      for await (const chunk of raw.body as AsyncIterable<Buffer>) {
        seen += chunk.length;
        if (seen > limit) throw answered(raw.statusCode, `${host} sends more than ${limit} bytes`);
        yield chunk;
      }
    } catch (error) {
      throw explain(error, host, signal);
    } finally {
      raw.body.destroy();
    }
  }

  function limits(call: EgressRequest) {
    const timeout = AbortSignal.timeout(call.timeoutMs ?? options.timeoutMs);
    const signal = call.signal ? AbortSignal.any([timeout, call.signal]) : timeout;
    return { signal, maxBytes: call.maxBytes ?? options.maxBytes };
  }

  function checkLength(head: EgressHead, maxBytes: number, raw: Dispatcher.ResponseData): void {
    const announced = Number(head.headers['content-length']);
    if (!(announced > maxBytes)) return;
    raw.body.destroy();
    throw answered(head.status, `${new URL(head.url).host} announces ${announced} bytes, more than ${maxBytes}`);
  }

  return {
    async fetch(url, call = {}) {
      const { signal, maxBytes } = limits(call);
      const { raw, ...head } = await open(url, call, signal);
      if (call.method !== 'HEAD') checkLength(head, maxBytes, raw);
      const chunks: Buffer[] = [];
      for await (const chunk of bounded(raw, head.url, maxBytes, signal)) chunks.push(chunk);
      return { ...head, body: Buffer.concat(chunks) };
    },

    async stream(url, call = {}) {
      const { signal, maxBytes } = limits(call);
      const { raw, ...head } = await open(url, { httpsOnly: true, ...call }, signal);
      if (!call.anyStatus && (head.status < 200 || head.status > 299)) {
        raw.body.destroy();
        throw answered(head.status, `${new URL(head.url).host} answered ${head.status}`);
      }
      checkLength(head, maxBytes, raw);
      return { ...head, body: bounded(raw, head.url, maxBytes, signal) };
    },

    async check(url, { httpsOnly = false } = {}) {
      const target = parse(url);
      checkTarget(target, rules, httpsOnly);
      const host = bareHost(target.hostname);
      if (isIP(host)) return;
      const resolve = checkedLookup(rules, lookup, portOf(target));
      const refused = new Promise<unknown>((settle) => resolve(host, {}, (error) => settle(error)));
      const late = sleep(RESOLVE_MS, undefined, { ref: false });
      const error = await Promise.race([refused, late]);
      if (error instanceof Failure && error.code === 'egress_denied') throw error;
    },

    close: () => agent.close(),
  };
}

function parse(url: string): URL {
  if (!URL.canParse(url)) throw new Failure('egress_denied', 'Not an address');
  return new URL(url);
}

/** What can be said before any name is resolved. An address in the URL is never looked up, so it is checked here. */
function checkTarget(target: URL, rules: EgressRules, httpsOnly: boolean): void {
  const host = bareHost(target.hostname);
  const port = portOf(target);
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw new Failure('egress_denied', `${target.protocol} addresses are not called, only https: and http:`);
  }
  if (target.username || target.password) {
    throw new Failure('egress_denied', `The address of ${host} holds credentials; they belong in a header`);
  }
  if (rules.lists(host, port)) return;
  const refusal = isIP(host) ? rules.refusal(host, port) : null;
  if (refusal) throw denied(host, refusal);
  if (httpsOnly && target.protocol === 'http:') {
    throw new Failure('egress_denied', `${host} is asked for over http; https is needed, or the host in EGRESS_ALLOW`);
  }
}

/** A failure of a call that was answered, unlike one that was not: its cause holds the status. */
function answered(status: number, detail: string): Failure {
  return new Failure('fetch_failed', detail, { cause: { status } });
}

function redirected(
  from: URL,
  { status, location }: { status: number; location: string },
  call: EgressRequest,
  redirects: number,
): URL {
  const { host } = from;
  if (redirects === MAX_REDIRECTS) throw answered(status, `${host} redirects more than ${MAX_REDIRECTS} times`);
  if (!URL.canParse(location, from.href)) throw answered(status, `${host} redirects to no address`);
  const to = new URL(location, from.href);
  if (bareHost(to.hostname) !== bareHost(from.hostname)) {
    throw new Failure('egress_denied', `${host} redirects to another host`);
  }
  if (from.protocol === 'https:' && to.protocol !== 'https:') {
    throw new Failure('egress_denied', `${host} redirects from https to ${to.protocol}`);
  }
  // On another port somebody else may listen; from http to https, each on its own, is the usual way up.
  if (
    to.origin !== from.origin &&
    !(portOf(from) === 80 && to.protocol === 'https:' && portOf(to) === 443) &&
    !isPlain(call.headers)
  ) {
    throw new Failure('egress_denied', `${host} redirects a call with credentials to another port`);
  }
  if (call.method && call.method !== 'GET' && call.method !== 'HEAD') {
    throw answered(status, `${host} redirects a ${call.method}, which is not repeated elsewhere`);
  }
  return to;
}

/** Headers that prove nothing, whoever reads them; all others may. */
const PLAIN = new Set(['accept', 'accept-language', 'content-type', 'range', 'user-agent', 'if-none-match']);

function isPlain(headers: Record<string, string> = {}): boolean {
  return Object.keys(headers).every((name) => PLAIN.has(name.toLowerCase()));
}

/** Resolves, refuses the name when any of its addresses is refused, and hands on exactly what was checked. */
function checkedLookup(rules: EgressRules, lookup: LookupFunction, port: number): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '');
      const addresses = Array.isArray(found) ? found : [];
      const [first] = addresses;
      if (!first) return callback(new Failure('fetch_failed', `${hostname} has no address`), '');
      if (!rules.lists(hostname, port)) {
        for (const { address } of addresses) {
          const refusal = rules.refusal(address, port);
          if (refusal) return callback(denied(hostname, refusal), '');
        }
      }
      if (options.all) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}

function denied(host: string, range: string): Failure {
  return new Failure(
    'egress_denied',
    `${host} leads to an address that is not public (${range}); EGRESS_ALLOW can list it`,
  );
}

async function attempt<T>(target: URL, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw explain(error, target.host, signal);
  }
}

function explain(error: unknown, host: string, signal: AbortSignal): unknown {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof Failure) return at;
  if (signal.aborted) {
    const late = signal.reason instanceof Error && signal.reason.name === 'TimeoutError';
    return late ? new Failure('fetch_failed', `${host} took too long`) : signal.reason;
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
  return new Failure('fetch_failed', `${host} could not be read (${code})`);
}

function flatten(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const entries = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value] as const],
  );
  return Object.fromEntries(entries);
}

function portOf(target: URL): number {
  return Number(target.port) || (target.protocol === 'https:' ? 443 : 80);
}
