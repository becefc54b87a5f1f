/** What the tests of live connections stand on: servers on one database, each with its own hub, and clients that write down what they hear. */
import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import WebSocket from 'ws';
import { createAccess } from '../../../src/api/access.ts';
import { createApi } from '../../../src/api/app.ts';
import { listen } from '../../../src/api/server.ts';
import { createLiveSockets } from '../../../src/api/websocket/server.ts';
import type { LiveLimits } from '../../../src/api/websocket/timing.ts';
import { createMetrics, type Metrics } from '../../../src/metrics.ts';
import type { EventName } from '../../../src/schema/names.ts';
import { createEventHub, type EventHub } from '../../../src/services/event-hub.ts';
import type { RingLimits } from '../../../src/services/events/ring.ts';
import { createConnections } from '../../../src/services/limits/connections.ts';
import type { Db, Trx } from '../../../src/stores/database.ts';
import { appendEvents } from '../../../src/stores/events.ts';
import { JWT_SECRET, type Stand } from '../api/stand.ts';

export interface LiveServer {
  port: number;
  url: string;
  hub: EventHub;
  metrics: Metrics;
  /** As a process does on SIGTERM. */
  close(): Promise<void>;
}

export interface LiveServerOptions {
  limits?: Partial<LiveLimits>;
  ring?: RingLimits;
  warm?: number;
  env?: Record<string, number>;
  failedPerMinute?: number;
}

/** An API of its own on `stand`'s database, as a second process would be. */
export async function startServer(stand: Stand, options: LiveServerOptions = {}): Promise<LiveServer> {
  const metrics = createMetrics();
  const deps = { ...stand.deps, metrics, config: { ...stand.deps.config, ...options.env } };
  const draining = new AbortController();
  const hub = createEventHub(deps, {
    ...(options.ring ? { ring: options.ring } : {}),
    ...(options.warm === undefined ? {} : { warm: options.warm }),
  });
  const access = createAccess(deps, options.failedPerMinute);
  const connections = createConnections(deps);
  const doors = { deps, hub, access, connections, draining: draining.signal };
  const app = createApi({ ...doors, operations: [] });
  const live = createLiveSockets({ ...doors, limits: options.limits ?? {} });
  const server = await listen(app, { port: 0, hostname: '127.0.0.1' }, live.upgrade);
  return {
    port: server.port,
    url: `ws://127.0.0.1:${server.port}/ws`,
    hub,
    metrics,
    async close() {
      draining.abort();
      await server.drain(2_000);
      await connections.close();
      await hub.close();
    },
  };
}

/** Whatever the server sent. */
export type Message = Record<string, any>;

export interface Client {
  ws: WebSocket;
  /** Everything that came, in order. */
  messages: Message[];
  /** Only events, of whatever type. */
  events(): Message[];
  send(message: unknown): void;
  /** The first message of this type, now or later. */
  heard(type: string): Promise<Message>;
  /** Until there are so many events. */
  count(events: number): Promise<Message[]>;
  /** Code and reason of the end. */
  closed: Promise<{ code: number; reason: string }>;
  close(): Promise<void>;
}

const EVENT_TYPES = new Set(['task_update', 'agent_update', 'pipeline_progress', 'error', 'event']);
const PATIENCE_MS = 30_000;

/** Opens a socket; with a token it also signs in, and resolves once the server said that it is ready. */
export async function connect(
  server: { url: string },
  options: { token?: string; resume?: string; headers?: Record<string, string> } = {},
): Promise<Client> {
  const ws = new WebSocket(server.url, { headers: options.headers ?? {}, perMessageDeflate: false });
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  const tell = () => {
    for (const look of waiting) look();
  };
  ws.on('message', (data) => {
    messages.push(JSON.parse(String(data)));
    tell();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on('close', (code, reason) => {
      resolve({ code, reason: String(reason) });
      tell();
    });
  });
  await new Promise<void>((resolve, reject) => {
    ws.once('open', () => resolve());
    ws.once('error', reject);
    ws.once('unexpected-response', (_request, response) => reject(new Refused(response.statusCode ?? 0)));
  });
  ws.on('error', () => {});
  const events = () => messages.filter((message) => EVENT_TYPES.has(message.type));

  function until<T>(look: () => T | undefined, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = look();
        if (found === undefined && ws.readyState !== ws.CLOSED) return;
        end();
        if (found === undefined) reject(new Error(`closed before ${what}: ${JSON.stringify(messages.slice(-5))}`));
        else resolve(found);
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`no ${what} in time; ${events().length} events, last ${JSON.stringify(messages.slice(-3))}`));
      }, PATIENCE_MS);
      const end = () => {
        clearTimeout(timer);
        waiting.delete(check);
      };
      waiting.add(check);
      check();
    });
  }

  const client: Client = {
    ws,
    messages,
    events,
    send: (message) => ws.send(typeof message === 'string' ? message : JSON.stringify(message)),
    heard: (type) => until(() => messages.find((message) => message.type === type), type),
    count: (wanted) => until(() => (events().length >= wanted ? events() : undefined), `${wanted} events`),
    closed,
    async close() {
      ws.close();
      await closed;
    },
  };
  if (options.token !== undefined) {
    client.send({ type: 'auth', token: options.token });
    if (options.resume !== undefined) client.send({ type: 'resume', seq: options.resume });
    await client.heard('ready');
  }
  return client;
}

/** An upgrade that was answered as HTTP. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

export interface EventOptions {
  name?: EventName;
  owner?: string;
  resource?: string | null;
  shared?: boolean;
  data?: Record<string, string | number>;
}

let marks = 0;

/** Writes events with `data.mark`, by which tests tell them; resolves with the marks. */
export async function write(db: Db | Trx, count: number, options: EventOptions = {}): Promise<number[]> {
  const written = Array.from({ length: count }, () => ++marks);
  await appendEvents(
    db,
    written.map((mark) => ({
      name: options.name ?? 'processing.progress',
      owner: options.owner ?? 'ada',
      resource: options.resource ?? null,
      workflow_id: null,
      shared: options.shared ?? false,
      data: { ...options.data, mark },
      key: `${mark}/${randomUUID()}`,
    })),
  );
  return written;
}

export function jwt(claims: Record<string, unknown>, expiresAt: number): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('jay')
    .setExpirationTime(expiresAt)
    .sign(new TextEncoder().encode(JWT_SECRET));
}

/** Value of a counter or gauge, of all labels or of one code. */
export async function metric(
  of: { get(): Promise<{ values: { value: number; labels: { code?: string | number } }[] }> },
  code?: number,
): Promise<number> {
  const { values } = await of.get();
  return values
    .filter(({ labels }) => code === undefined || labels.code === String(code))
    .reduce((sum, { value }) => sum + value, 0);
}
