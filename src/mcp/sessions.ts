/** Sessions of 2025 clients in this process's memory, for what must ask the client back in the middle of a call. */
import { randomUUID } from 'node:crypto';
import {
  type AuthInfo,
  isInitializeRequest,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { callerOf } from './caller.ts';

interface Session {
  owner: string;
  server: Server;
  transport: WebStandardStreamableHTTPServerTransport;
  usedAt: number;
}

export interface Sessions {
  /** Serves a 2025 request that opens or names a session; null when it does neither. */
  handle(request: Request, body: unknown, auth: AuthInfo): Promise<Response | null>;
  close(): Promise<void>;
}

/** `idleMs`: a session unused for longer makes room; `most`: how many may be open at once. */
export function createSessions(build: (auth: AuthInfo) => Server, limits: { idleMs: number; most: number }): Sessions {
  const sessions = new Map<string, Session>();

  function sweep(): void {
    const oldest = Date.now() - limits.idleMs;
    for (const [id, session] of sessions) {
      if (session.usedAt < oldest) {
        sessions.delete(id);
        void session.server.close();
      }
    }
  }

  async function open(request: Request, body: unknown, auth: AuthInfo): Promise<Response> {
    sweep();
    if (sessions.size >= limits.most) return answer(503, 'Too many open sessions');
    const server = build(auth);
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        const owner = callerOf(auth).principal.id;
        sessions.set(id, { owner, server, transport, usedAt: Date.now() });
      },
      onsessionclosed: (id) => {
        sessions.delete(id);
      },
    });
    await server.connect(transport);
    return transport.handleRequest(request, { parsedBody: body, authInfo: auth });
  }

  return {
    async handle(request, body, auth) {
      if (isInitializeRequest(body)) return open(request, body, auth);
      const id = request.headers.get('mcp-session-id');
      if (id === null) return null;
      const session = sessions.get(id);
      // Another caller's session is as unknown as one that never was.
      if (!session || session.owner !== callerOf(auth).principal.id) return answer(404, 'Session not found');
      session.usedAt = Date.now();
      return session.transport.handleRequest(request, {
        ...(body !== undefined && { parsedBody: body }),
        authInfo: auth,
      });
    },
    async close() {
      const open = [...sessions.values()];
      sessions.clear();
      await Promise.all(open.map((session) => session.server.close()));
    },
  };
}

function answer(status: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', error: { code: -32_001, message }, id: null }, { status });
}
