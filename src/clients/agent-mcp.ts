/** Agents that are MCP servers: a task is a tool call, over Streamable HTTP and through the egress guard. */
import {
  Client,
  type FetchLike,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import { Failure } from '../schema/failures.ts';
import type { Json, JsonObject } from '../schema/json.ts';
import { sayable } from './agent-calls.ts';
import { refused, unreachable } from './agent-refusals.ts';
import type { Egress } from './egress.ts';

/** Most bytes that one exchange may bring: a result, and the progress on the way to it. */
const MAX_EXCHANGE_BYTES = 4 * 1024 * 1024;
/** Most time to agree on a version. */
const CONNECT_MS = 10_000;
const GOODBYE_MS = 1_000;

export interface ToolCall {
  tool: string;
  arguments: JsonObject;
}

export interface ToolCallOptions {
  timeoutMs: number;
  signal?: AbortSignal;
  /** `share` is 0 to 1, or null where the server does not say how much there is. */
  onProgress?(share: number | null, message: string): void;
}

/**
 * The result is the tool's structured content, or `{content}`. Throws Failure: `agent_unreachable` when the server
 * cannot be reached, hangs up, is too slow or says "not now" (see `postTask`); `agent_failed` when the tool or the
 * protocol says no, and when what it answers is no MCP; `egress_denied`.
 */
export async function callTool(
  egress: Egress,
  target: { url: string; headers: Record<string, string> },
  call: ToolCall,
  options: ToolCallOptions,
): Promise<JsonObject> {
  const { host } = new URL(target.url);
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  // What ends the call must not end the farewell.
  let within = signal;
  const heard: Heard = { status: null, retryAfter: undefined, cut: false };
  const transport = new StreamableHTTPClientTransport(new URL(target.url), {
    fetch: async (url, init) => {
      // Only what is posted is a question of ours; the stream that is opened besides may be refused.
      const asked = init?.method === 'POST';
      if (asked) Object.assign(heard, { status: null, cut: false });
      const onCut = () => {
        if (asked) heard.cut = true;
      };
      const response = await guardedFetch(egress, within, options.timeoutMs, onCut)(url, init);
      if (asked) {
        heard.status = response.status;
        heard.retryAfter = response.headers.get('retry-after') ?? undefined;
      }
      return response;
    },
    requestInit: { headers: target.headers },
    // A cut connection is a failed call; the task's own retries take it from there.
    reconnectionOptions: {
      maxRetries: 0,
      initialReconnectionDelay: 1000,
      maxReconnectionDelay: 1000,
      reconnectionDelayGrowFactor: 1,
    },
  });
  const client = new Client(
    { name: 'ostinato', version: '1' },
    { versionNegotiation: { mode: 'auto' }, capabilities: {} },
  );
  try {
    await client.connect(transport, { timeout: Math.min(CONNECT_MS, options.timeoutMs), signal });
    const answer = await client.callTool(
      { name: call.tool, arguments: call.arguments },
      {
        timeout: options.timeoutMs,
        maxTotalTimeout: options.timeoutMs,
        signal,
        onprogress: ({ progress, total, message }) =>
          options.onProgress?.(shareOf(progress, total), sayable(message ?? '')),
      },
    );
    const result = answer as unknown as { isError?: boolean; structuredContent?: Json; content?: Json };
    if (result.isError) throw new Failure('agent_failed', `${call.tool} failed: ${textOf(result.content)}`);
    const structured = result.structuredContent;
    if (typeof structured === 'object' && structured !== null && !Array.isArray(structured)) return structured;
    return { content: result.content ?? [] };
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw explain(error, host, timeout, heard);
  } finally {
    within = AbortSignal.timeout(GOODBYE_MS);
    await sayGoodbye(client, transport);
  }
}

/** What came back for the last question. */
interface Heard {
  status: number | null;
  retryAfter: string | undefined;
  /** The connection broke in the middle of the answer. */
  cut: boolean;
}

function shareOf(progress: number, total: number | undefined): number | null {
  return total === undefined || total <= 0 ? null : Math.min(1, Math.max(0, progress / total));
}

/** A session is ended where there is one. */
async function sayGoodbye(client: Client, transport: StreamableHTTPClientTransport): Promise<void> {
  if (transport.sessionId) await transport.terminateSession().catch(() => undefined);
  await client.close().catch(() => undefined);
}

/** `fetch` as the SDK wants it, through the guard; bodies come as they are read, bounded in size and time. */
function guardedFetch(egress: Egress, within: AbortSignal, timeoutMs: number, onCut: () => void): FetchLike {
  return async (url, init = {}) => {
    const own = init.signal ? AbortSignal.any([within, init.signal]) : within;
    const { body, status, headers } = await egress.stream(String(url), {
      method: (init.method ?? 'GET') as 'GET',
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(init.body === undefined || init.body === null ? {} : { body: await bytesOf(init.body) }),
      signal: own,
      timeoutMs,
      maxBytes: MAX_EXCHANGE_BYTES,
      httpsOnly: false,
      anyStatus: true,
    });
    const empty = status === 204 || status === 205 || status === 304;
    if (empty) for await (const _ of body);
    return new Response(empty ? null : streamOf(body, onCut), { status, headers });
  };
}

function streamOf(body: AsyncIterable<Buffer>, onCut: () => void): ReadableStream<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        onCut();
        throw error;
      }
    },
    async cancel() {
      await chunks.return?.();
    },
  });
}

async function bytesOf(body: NonNullable<RequestInit['body']>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(body).arrayBuffer());
}

function explain(error: unknown, host: string, timeout: AbortSignal, heard: Heard): Failure {
  if (heard.status === 401) return refused(heard.status, heard.retryAfter, host);
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof Failure) return unreachable(at) as Failure;
  }
  const late = timeout.aborted || (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout);
  if (late) return new Failure('agent_unreachable', `${host} took too long`, { cause: error });
  const said = sayable(error instanceof Error ? error.message : String(error));
  if (error instanceof ProtocolError) return new Failure('agent_failed', `${host}: ${said}`, { cause: error });
  if (heard.status !== null && heard.status >= 400) return refused(heard.status, heard.retryAfter, host);
  const code = heard.cut || heard.status === null ? 'agent_unreachable' : 'agent_failed';
  return new Failure(code, `${host} does not speak MCP as expected: ${said}`, { cause: error });
}

function textOf(content: Json | undefined): string {
  const parts = Array.isArray(content) ? content : [];
  const texts = parts.flatMap((part) =>
    typeof part === 'object' && part !== null && !Array.isArray(part) && typeof part.text === 'string'
      ? [part.text]
      : [],
  );
  return sayable(texts.join(' ') || 'it does not say why');
}
