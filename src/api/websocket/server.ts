/** `/ws`: all WebSockets of a process, how many there may be, and the rounds that look after them. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import { CLOSE_CODES } from '../../schema/live.ts';
import type { Principal } from '../../schema/principal.ts';
import { toFailure } from '../../schema/unknown-error.ts';
import type { EventHub } from '../../services/event-hub.ts';
import { type Connections, createConnections, mostNamelessOf, type Place } from '../../services/limits/connections.ts';
import type { Access } from '../access.ts';
import { type Connection, openConnection } from './connection.ts';
import { createRecheck } from './recheck.ts';
import { createSignIn } from './sign-in.ts';
import { LIVE_LIMITS, type LiveLimits } from './timing.ts';
import { refuseUpgrade, upgradeRule } from './upgrade.ts';

export interface LiveSocketsOptions {
  deps: Pick<Deps, 'db' | 'config' | 'limits' | 'log' | 'metrics'>;
  hub: EventHub;
  access: Access;
  /** Shared with the event streams beside this door; its own unless given. */
  connections?: Connections;
  /** Aborts when the server drains: every socket is closed with 1001, and no more are opened. */
  draining: AbortSignal;
  limits?: Partial<LiveLimits>;
}

export interface LiveSockets {
  /** For the server's event `upgrade`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** A client that means well has sent its credential by then. */
const ANONYMOUS_GRACE_MS = 1_000;
/** Who makes way has so long to answer the close. */
const MAKE_WAY_MS = 500;
const RETRY_SECONDS = 5;

export function createLiveSockets(options: LiveSocketsOptions): LiveSockets {
  const { deps, hub, access, draining } = options;
  const { config, metrics, log } = deps;
  const limits = { ...LIVE_LIMITS, ...options.limits };
  const rule = upgradeRule(config);
  const signIn = createSignIn(access, deps);
  const open = new Set<Connection>();
  /** Those that are not signed in yet in the order they came, with what makes each leave. */
  const anonymous = new Map<Connection, () => Promise<void>>();
  /** Let in, but not WebSockets yet. */
  let opening = 0;
  const connections = options.connections ?? createConnections(deps);
  const mostAnonymous = mostNamelessOf(config.WS_MAX_CONNECTIONS);
  // A variable of its own, because the types do not know `closeTimeout` yet.
  const protocol = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.messageBytes,
    closeTimeout: limits.lingerMs,
  };
  const wss = new WebSocketServer(protocol);
  const recheck = createRecheck({ authenticator: access.authenticator, log, open, everyMs: limits.recheckMs });
  let heartbeat: NodeJS.Timeout | undefined;

  /**
   * A place for one that is not signed in: when those over all processes have no more, that of the oldest here. Throws
   * Failure('unavailable') when there is none.
   */
  async function takePlace(): Promise<Place> {
    if (anonymous.size + opening <= mostAnonymous) {
      const place = await connections.take(null).catch(() => null);
      if (place) return place;
    }
    const [oldest] = anonymous;
    if (!oldest) throw full();
    const [connection, leave] = oldest;
    if (Date.now() - connection.since < ANONYMOUS_GRACE_MS) throw full();
    anonymous.delete(connection);
    await leave();
    return connections.take(null);
  }

  function accept(
    ws: WebSocket,
    socket: Duplex,
    from: { address: string | null; session: string | undefined; place: Place },
  ): void {
    const { place, ...who } = from;
    const connection = openConnection({
      ws,
      socket,
      ...who,
      hub,
      deps,
      limits,
      signIn,
      async admit(admitted, principal: Principal) {
        await place.nameCaller(principal.id);
        anonymous.delete(admitted);
      },
    });
    const left = Promise.withResolvers<void>();
    open.add(connection);
    anonymous.set(connection, () => {
      connection.close(CLOSE_CODES.unauthenticated, 'made way for others');
      setTimeout(() => ws.terminate(), MAKE_WAY_MS).unref();
      return left.promise;
    });
    metrics.openSockets.inc();
    watch();
    ws.once('close', (code) => {
      open.delete(connection);
      anonymous.delete(connection);
      metrics.openSockets.dec();
      metrics.socketCloses.inc({ code: closeLabel(connection.closedWith ?? code) });
      place.release();
      left.resolve();
      watch();
    });
  }

  /** The rounds go while there is somebody to look after. */
  function watch(): void {
    if (open.size === 0) {
      clearInterval(heartbeat);
      heartbeat = undefined;
      recheck.stop();
      return;
    }
    recheck.start();
    heartbeat ??= setInterval(() => {
      for (const connection of open) connection.beat();
    }, limits.heartbeatMs);
  }

  draining.addEventListener('abort', () => {
    for (const connection of open) connection.close(CLOSE_CODES.goingAway, 'the server is going away');
  });

  /** Throws Failure when it must stay HTTP. */
  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { session } = rule.check(request);
    if (draining.aborted) throw full();
    opening += 1;
    try {
      const place = await takePlace();
      let isOpen = false;
      try {
        if (draining.aborted) throw full();
        wss.handleUpgrade(request, socket, head, (ws) => {
          isOpen = true;
          accept(ws, socket, { address: addressOf(request.socket), session, place });
        });
      } finally {
        // It left meanwhile, or does not speak the protocol and was told.
        if (!isOpen) place.release();
      }
    } finally {
      opening -= 1;
    }
  }

  return {
    upgrade(request, socket, head) {
      // Until `ws` has it, and for those it never gets.
      socket.on('error', () => {});
      upgrade(request, socket, head).catch((error) => {
        const failure = toFailure(error);
        metrics.failures.inc({ room: 'live', code: failure.code });
        refuseUpgrade(socket, failure);
      });
    },
  };
}

function full(): Failure {
  return new Failure('unavailable', 'No room for another connection', { retryAfterSeconds: RETRY_SECONDS });
}

/** Codes of the protocol and ours by number; a peer may send any, and a label must not grow with that. */
function closeLabel(code: number): string {
  const ours: number[] = Object.values(CLOSE_CODES);
  return code < 3000 || ours.includes(code) ? String(code) : 'other';
}

function addressOf(socket: Socket): string | null {
  return socket.remoteAddress?.replace(/^::ffff:/, '') ?? null;
}
