/** The MCP door: Streamable HTTP for both protocol eras over the house's operations, a fresh server for each request. */
import { randomUUID } from 'node:crypto';
import {
  type AuthInfo,
  createMcpHandler,
  InMemoryServerEventBus,
  isInitializeRequest,
  isJsonContentType,
  isLegacyRequest,
  readRequestBody,
} from '@modelcontextprotocol/server';
import { inBodyTime } from '../schema/body-time.ts';
import { Failure } from '../schema/failures.ts';
import type { Principal } from '../schema/principal.ts';
import { type Caller, toAuthInfo } from './caller.ts';
import { createToolCaller } from './calls.ts';
import { createCatalogue } from './catalogue.ts';
import type { DoorOptions, McpDoor, RequestExtras } from './contract.ts';
import { rejectForeign } from './guard.ts';
import { createInflight } from './inflight.ts';
import { createServers } from './servers.ts';
import { createSessions } from './sessions.ts';

/** Largest message. Uploads go elsewhere. */
const MOST_BODY_BYTES = 4 * 1024 * 1024;
const SESSION_HEADER = 'mcp-session-id';

export function createMcpDoor(options: DoorOptions): McpDoor {
  const { log, hosts, extend, bodySeconds } = options;
  const catalogue = createCatalogue(options.operations, extend?.tools ?? [], log);
  const inflight = createInflight();
  const callTool = createToolCaller({ ...options, catalogue, extend });
  const build = createServers({ ...options, catalogue, callTool, inflight });
  const bus = new InMemoryServerEventBus((error) => log.error({ err: error }, 'a subscription broke'));
  const stopChanges = options.changes?.subscribe((change) =>
    bus.publish('uri' in change ? { kind: 'resource_updated', uri: change.uri } : { kind: 'resources_list_changed' }),
  );
  const handler = createMcpHandler(({ era }) => build(era), {
    bus,
    onerror: (error) => log.warn({ err: error.message }, 'an MCP request was refused or broke'),
  });
  const sessions = options.sessions ? createSessions(() => build('legacy'), options.sessions) : null;

  /** Without a body the request is the SDK's to answer or to refuse. */
  async function readJson(request: Request): Promise<{ body?: unknown; refusal?: Response }> {
    if (request.method !== 'POST' || !isJsonContentType(request.headers.get('content-type'))) return {};
    const text = await inBodyTime(readText(request), bodySeconds);
    if (text === null) return { refusal: refuse(413, -32_000, 'The message is too large') };
    try {
      return { body: JSON.parse(text) };
    } catch {
      return { refusal: refuse(400, -32_700, 'Parse error: the body is not JSON') };
    }
  }

  async function serve(request: Request, body: unknown, auth: AuthInfo, caller: Caller): Promise<Response> {
    if (sessions && (await isLegacyRequest(request, body))) {
      const answered = await sessions.handle(request, body, auth);
      if (answered) return answered;
    }
    inflight.noticeCancellation(caller, body);
    const response = await handler.fetch(request, { authInfo: auth, ...(body !== undefined && { parsedBody: body }) });
    // Only ties a client's requests together, so that it can cancel one; any replica takes it and nothing expires.
    if (isInitializeRequest(body) && response.ok) response.headers.set(SESSION_HEADER, randomUUID());
    return response;
  }

  let closed = false;
  return {
    async handle(request: Request, principal: Principal, extras: RequestExtras): Promise<Response> {
      if (closed) return refuse(503, -32_000, 'The server is stopping');
      const foreign = rejectForeign(request, hosts);
      if (foreign) return foreign;
      let rooms: string[] | null;
      try {
        const query = request.url.indexOf('?');
        rooms = query < 0 ? null : catalogue.rooms(new URLSearchParams(request.url.slice(query)).get('rooms'));
      } catch (error) {
        if (error instanceof Failure) return refuse(error.status, -32_602, error.message);
        throw error;
      }
      const caller: Caller = {
        ...extras,
        principal,
        rooms,
        idempotencyKey: request.headers.get('idempotency-key'),
        session: request.headers.get(SESSION_HEADER),
      };
      const { body, refusal } = await readJson(request).catch(refuseLate);
      return refusal ?? serve(request, body, toAuthInfo(caller), caller);
    },
    notify: handler.notify,
    async close() {
      closed = true;
      stopChanges?.();
      await Promise.all([handler.close(), sessions?.close()]);
    },
  };
}

/** The body, or null when it is too large. */
async function readText(request: Request): Promise<string | null> {
  const announced = Number(request.headers.get('content-length') ?? Number.NaN);
  if (announced > MOST_BODY_BYTES) return null;
  // Where the length is known, and the HTTP parser holds the sender to it, text() spares the cost of a stream.
  if (announced > 0) return request.text();
  const read = await readRequestBody(request, MOST_BODY_BYTES);
  return read.tooLarge ? null : read.text;
}

function refuseLate(error: unknown): { body?: unknown; refusal: Response } {
  if (!(error instanceof Failure)) throw error;
  return { refusal: refuse(error.status, -32_000, error.message) };
}

function refuse(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', error: { code, message }, id: null }, { status });
}
