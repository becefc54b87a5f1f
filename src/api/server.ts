/** The API on a socket: time limits, and an end that lets what is running finish. */
import type { IncomingMessage, Server } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import type { KeyPair } from '../schema/tls.ts';
import { answerClientErrors } from './client-errors.ts';
import type { ApiEnv } from './context.ts';
import { answerPlainHttp, tlsTerms } from './tls-server.ts';
import { asksForWebSocket } from './websocket/upgrade.ts';

const HEADERS_MS = 10_000;
/** A connection on which nothing moves for so long is closed; streams send heartbeats more often. */
const IDLE_MS = 120_000;
const KEEP_ALIVE_MS = 30_000;

export interface RunningServer {
  port: number;
  /** Stops listening, waits up to `graceMs` for what is running, then cuts the rest. */
  drain(graceMs: number): Promise<void>;
  /** Serves the connections that come from now on with another certificate; only for a server that speaks TLS. */
  renew(pair: KeyPair): void;
}

export interface Where {
  port: number;
  hostname: string;
  /** With it the server speaks https, at least TLS 1.2. */
  tls?: KeyPair | null;
}

/** Takes over a connection that leaves HTTP for WebSocket. */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Rejects with the system's error when the port is taken. */
export function listen(app: Hono<ApiEnv>, { tls = null, ...where }: Where, upgrade?: Upgrade): Promise<RunningServer> {
  return new Promise((resolve, reject) => {
    const server = serve({
      fetch: app.fetch,
      ...where,
      ...(tls ? { createServer: createHttpsServer as never } : {}),
      serverOptions: {
        ...(tls ? tlsTerms(tls) : {}),
        headersTimeout: HEADERS_MS,
        // An upload may take hours, as long as it moves.
        requestTimeout: 0,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: 5_000,
        // Other protocols that clients offer in passing (h2c) are answered as HTTP.
        shouldUpgradeCallback: (request) => upgrade !== undefined && asksForWebSocket(request),
      },
    }) as Server;
    const cutAll = tls ? answerPlainHttp(server as HttpsServer) : () => server.closeAllConnections();
    answerClientErrors(server);
    if (upgrade) server.on('upgrade', upgrade);
    server.setTimeout(IDLE_MS);
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve({
        port: (server.address() as AddressInfo).port,
        drain: (graceMs) => drain(server, graceMs, cutAll),
        renew: (pair) => (server as HttpsServer).setSecureContext(tlsTerms(pair)),
      });
    });
  });
}

function drain(server: Server, graceMs: number, cutAll: () => void): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(cutAll, graceMs);
    // Connections that finish their last answer later are idle then, and nobody else would close them.
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    server.close(() => {
      clearTimeout(cut);
      clearInterval(sweep);
      resolve();
    });
    server.closeIdleConnections();
  });
}
