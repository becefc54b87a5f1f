/** The API on a socket: time limits, and an end that lets what is running finish. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import type { ApiEnv } from './context.ts';

const HEADERS_MS = 10_000;
/** A connection on which nothing moves for so long is closed; streams send heartbeats more often. */
const IDLE_MS = 120_000;
const KEEP_ALIVE_MS = 30_000;

export interface RunningServer {
  port: number;
  /** Stops listening, waits up to `graceMs` for what is running, then cuts the rest. */
  drain(graceMs: number): Promise<void>;
}

/** Rejects with the system's error when the port is taken. */
export function listen(app: Hono<ApiEnv>, where: { port: number; hostname: string }): Promise<RunningServer> {
  return new Promise((resolve, reject) => {
    const server = serve({
      fetch: app.fetch,
      ...where,
      serverOptions: {
        headersTimeout: HEADERS_MS,
        // An upload may take hours, as long as it moves.
        requestTimeout: 0,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: 5_000,
      },
    }) as Server;
    server.setTimeout(IDLE_MS);
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve({ port: (server.address() as AddressInfo).port, drain: (graceMs) => drain(server, graceMs) });
    });
  });
}

function drain(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
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
