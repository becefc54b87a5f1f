/** Carries JSON-RPC messages between a client that speaks on a pipe and the API, across restarts of the API. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Handshake, headersFor, type Message, versionOf } from './headers.ts';
import { eventData } from './sse.ts';

const SUBSCRIPTION_META = 'io.modelcontextprotocol/subscriptionId';
const LISTEN = 'subscriptions/listen';
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

export interface BridgeOptions {
  /** Address of the API's MCP endpoint. */
  url: string;
  apiKey: string;
  /** Takes what goes back to the client. */
  send(message: unknown): void;
  /** How long a request waits for an API that is away. */
  patienceMs: number;
  /** For people, not for the client. */
  complain(text: string): void;
}

export interface Bridge {
  forward(message: Message): void;
  /** Resolves once all that was forwarded has had its answer, subscriptions aside: those never end by themselves. */
  settled(): Promise<void>;
  /** Gives up what is under way. */
  close(): void;
}

/** A message on its way, through as many attempts as it takes. */
interface Carried {
  message: Message;
  /** The same each time, so that work that was started is found rather than started again. */
  key: string;
  signal: AbortSignal;
  /** Whether the client has had the acknowledgement of its subscription. */
  acknowledged: boolean;
}

/** What a subscription asks to hear of. */
interface Watched {
  resourceSubscriptions?: string[];
  resourcesListChanged?: boolean;
}

/** The API answered, but not in JSON-RPC. */
class Refusal extends Error {}
/** The API is stopping or starting and has not looked at the message. */
class Away extends Error {}

/** What the SDK answers to a call that it cut off. */
const CUT_OFF = 499;

export function createBridge(options: BridgeOptions): Bridge {
  const handshake: Handshake = { session: null, version: null };
  const underWay = new Map<string | number, { message: Message; controller: AbortController }>();
  const carrying = new Set<Promise<void>>();
  /** Tools that may run twice without harm, as their own annotations say. */
  const repeatable = new Set<string>();

  /** Notes what later requests depend on. */
  function observe(request: Message, answer: Message, response: Response): void {
    if (request.method === 'initialize' && answer.result) {
      handshake.session = response.headers.get('mcp-session-id');
      const version = answer.result.protocolVersion;
      handshake.version = typeof version === 'string' ? version : null;
    }
    if (request.method === 'tools/list' && Array.isArray(answer.result?.tools)) {
      for (const tool of answer.result.tools as { name: string; annotations?: Record<string, boolean> }[]) {
        if (tool.annotations?.readOnlyHint || tool.annotations?.idempotentHint) repeatable.add(tool.name);
      }
    }
  }

  function mayRepeat(message: Message): boolean {
    return message.method !== 'tools/call' || repeatable.has(String(message.params?.name));
  }

  async function post(message: Message, key: string, signal: AbortSignal): Promise<Response> {
    return fetch(options.url, {
      method: 'POST',
      headers: {
        ...headersFor(message, handshake),
        authorization: `Bearer ${options.apiKey}`,
        'idempotency-key': key,
      },
      body: JSON.stringify(message),
      signal,
    });
  }

  /** One attempt. True when the message has had its answer, or needs none. */
  async function attempt(carried: Carried): Promise<boolean> {
    const { message, key, signal } = carried;
    const response = await post(message, key, signal);
    if (response.status === 503) throw new Away('the API is not ready');
    if (response.status === CUT_OFF) throw new Error('the API stopped during the call');
    const expectsAnswer = message.id !== undefined && message.method !== undefined;
    const type = response.headers.get('content-type') ?? '';
    if (!type.startsWith('text/event-stream')) {
      const text = await response.text();
      if (!expectsAnswer) return true;
      options.send(toAnswer(message, text, response));
      return true;
    }
    const listens = message.method === LISTEN;
    if (carried.acknowledged) tellOfGap(message);
    if (!response.body) return !expectsAnswer;
    let honoured = true;
    for await (const data of eventData(response.body)) {
      const part = JSON.parse(data) as Message;
      const isAnswer = part.method === undefined && part.id === message.id;
      const isAck = part.method === ACKNOWLEDGED;
      if (isAck) honoured = Object.keys(part.params?.notifications ?? {}).length > 0;
      // An API that stops ends its subscriptions politely; for the client they go on with the next one.
      if (isAnswer && listens && honoured && !part.error) return false;
      if (isAnswer) observe(message, part, response);
      // The client knows its subscription since the first time.
      if (!(isAck && carried.acknowledged)) options.send(part);
      if (isAck) carried.acknowledged = true;
      if (isAnswer) return true;
    }
    return !expectsAnswer;
  }

  function toAnswer(message: Message, text: string, response: Response): unknown {
    const answer = parseObject(text);
    if (answer && ('result' in answer || 'error' in answer)) {
      observe(message, answer, response);
      return { ...answer, id: message.id };
    }
    const detail = answer && 'detail' in answer ? `: ${String(answer.detail)}` : '';
    throw new Refusal(`The API answered HTTP ${response.status}${detail}`);
  }

  /** While the stream was down a change may have passed unseen: the client is told to read again. */
  function tellOfGap(message: Message): void {
    const filter = (message.params?.notifications ?? {}) as Watched;
    const _meta = { [SUBSCRIPTION_META]: message.id };
    const tell = (what: string, params: object) =>
      options.send({ jsonrpc: '2.0', method: `notifications/resources/${what}`, params: { ...params, _meta } });
    for (const uri of filter.resourceSubscriptions ?? []) tell('updated', { uri });
    if (filter.resourcesListChanged) tell('list_changed', {});
  }

  async function carry(message: Message, signal: AbortSignal): Promise<void> {
    const carried: Carried = { message, key: randomUUID(), signal, acknowledged: false };
    let giveUpAt = Date.now() + options.patienceMs;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      let broken: unknown = new Error('the stream ended early');
      const startedAt = Date.now();
      try {
        if (await attempt(carried)) return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refusal) return fail(message, error.message);
        broken = error;
      }
      if (signal.aborted) return;
      const neverArrived = broken instanceof Away || codeOf(broken) === 'ECONNREFUSED';
      if (!neverArrived && !mayRepeat(message)) {
        return fail(message, 'The connection to the API broke while the tool ran; it may or may not have run');
      }
      // A stream that had been up starts a new count.
      if (Date.now() - startedAt > options.patienceMs) giveUpAt = Date.now() + options.patienceMs;
      if (Date.now() + pause > giveUpAt) return fail(message, `The API at ${options.url} cannot be reached`);
      await sleep(pause, undefined, { signal }).catch(() => {});
    }
  }

  function fail(message: Message, text: string): void {
    options.complain(text);
    if (message.id === undefined || message.method === undefined) return;
    options.send({ jsonrpc: '2.0', id: message.id, error: { code: -32_000, message: text } });
  }

  return {
    forward(message) {
      if (message.method === 'notifications/cancelled') {
        const cancelled = underWay.get(message.params?.requestId as string | number);
        // In the current era hanging up is how a request is cancelled over HTTP; 2025 says so in a message.
        if (cancelled && versionOf(cancelled.message) !== null) return cancelled.controller.abort();
      }
      const controller = new AbortController();
      const id = message.method === undefined ? undefined : message.id;
      if (id !== undefined) underWay.set(id, { message, controller });
      const carried = carry(message, controller.signal)
        .catch((error: unknown) => fail(message, error instanceof Error ? error.message : String(error)))
        .finally(() => {
          carrying.delete(carried);
          if (id !== undefined) underWay.delete(id);
        });
      if (message.method !== LISTEN) carrying.add(carried);
    },
    async settled() {
      while (carrying.size > 0) await Promise.all(carrying);
    },
    close() {
      for (const { controller } of underWay.values()) controller.abort();
    },
  };
}

function parseObject(text: string): (Message & Record<string, unknown>) | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Message & Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The system's code for why a fetch failed. */
function codeOf(error: unknown): string | null {
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  return typeof cause?.code === 'string' ? cause.code : null;
}
