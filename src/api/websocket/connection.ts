/** One WebSocket from its upgrade to its end: who it is, what it wants, and the events that go out to it. */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Deps } from '../../deps.ts';
import { mayDo } from '../../schema/access.ts';
import type { Failure, FailureCode } from '../../schema/failures.ts';
import { CLOSE_CODES, type ClientMessage, type CloseCode } from '../../schema/live.ts';
import type { Principal } from '../../schema/principal.ts';
import { toFailure } from '../../schema/unknown-error.ts';
import type { Credential } from '../../services/access/authenticate.ts';
import type { EventHub } from '../../services/event-hub.ts';
import { BEGINNING, type EventPosition, formatPosition, parsePosition } from '../../stores/event-position.ts';
import { readInbox } from './inbox.ts';
import { createOutbox } from './outbox.ts';
import type { SignIn } from './sign-in.ts';
import { createStream } from './stream.ts';
import type { LiveLimits } from './timing.ts';

export interface ConnectionOptions {
  ws: WebSocket;
  socket: Duplex;
  address: string | null;
  /** A session cookie that a page of our own sent along. */
  session: string | undefined;
  hub: EventHub;
  deps: Pick<Deps, 'log' | 'metrics'>;
  limits: LiveLimits;
  signIn: SignIn;
  /** Called when a caller is known. Throws Failure('too_many_requests') when it has too many connections already. */
  admit(connection: Connection, principal: Principal): Promise<void>;
}

export interface Connection {
  /** What the caller proved itself with, once it has. */
  readonly credential: Credential | null;
  readonly since: number;
  /** A credential that was looked at again: who that is now. */
  refreshed(principal: Principal): void;
  /** Pings, and closes a peer that answered nothing since the last time. */
  beat(): void;
  close(code: CloseCode, reason: string): void;
  /** The code that this side closed with, if it did. */
  readonly closedWith: CloseCode | null;
}

/** Throws nothing; whatever goes wrong closes the socket with a code that says so. */
export function openConnection(options: ConnectionOptions): Connection {
  const { ws, hub, limits, deps } = options;
  const { log, metrics } = deps;
  const outbox = createOutbox(ws, options.socket, limits.bufferBytes);
  const stream = createStream({
    hub,
    outbox,
    log,
    slowMs: limits.slowMs,
    onFrame: () => metrics.socketFrames.inc(),
    onSlow: () => close(CLOSE_CODES.slow, 'events were not taken in time'),
  });
  let principal: Principal | null = null;
  let credential: Credential | null = null;
  let closedWith: CloseCode | null = null;
  let heard = true;
  let firstWord: NodeJS.Timeout | undefined;
  const patience = setTimeout(() => close(CLOSE_CODES.unauthenticated, 'no credential in time'), limits.authMs);

  const isOver = () => closedWith !== null || ws.readyState !== ws.OPEN;

  function close(code: CloseCode, reason: string): void {
    if (closedWith !== null) return;
    closedWith = code;
    clearTimeout(patience);
    clearTimeout(firstWord);
    stream.stop();
    ws.close(code, reason);
  }

  function count(code: FailureCode): void {
    metrics.failures.inc({ room: code === 'unauthenticated' ? 'access' : 'live', code });
  }

  function answer(message: Record<string, unknown>): void {
    if (!outbox.answer(message)) close(CLOSE_CODES.slow, 'answers were not taken in time');
  }

  function problem(code: string, detail: string): void {
    answer({ type: 'problem', code, detail });
  }

  /** Live from `position` on, as the caller that is known now. */
  async function authenticate(given: Credential): Promise<void> {
    let known: Principal;
    try {
      known = await options.signIn(given, options.address);
    } catch (error) {
      return refuse(given, toFailure(error));
    }
    if (isOver()) return;
    if (principal !== null && principal.id !== known.id) {
      return problem('conflict', 'This connection is signed in as somebody else');
    }
    if (!mayDo(known, 'tasks:read')) {
      count('forbidden');
      return close(CLOSE_CODES.forbidden, `role ${known.role} lacks tasks:read`);
    }
    const isFirst = principal === null;
    principal = known;
    credential = given;
    clearTimeout(patience);
    if (isFirst) {
      try {
        await options.admit(connection, known);
      } catch (error) {
        return refuse(given, toFailure(error));
      }
      if (isOver()) return;
    }
    stream.see(known);
    if (!isFirst) return ready(stream.position);
    const position = await hub.head();
    if (isOver()) return;
    ready(position);
    // A client that goes on from where it was says so on `ready`; what is live must not come before that.
    stream.pauseAt(position);
    firstWord = setTimeout(() => stream.start(position), limits.firstWordMs);
  }

  function ready(position: EventPosition): void {
    answer({ type: 'ready', seq: formatPosition(position), heartbeat_seconds: limits.heartbeatMs / 1000 });
  }

  function refuse(given: Credential, failure: Failure): void {
    count(failure.code);
    // A page's old cookie proves nothing, but its script may still sign in by itself.
    if (given.kind === 'session' && failure.code === 'unauthenticated') return;
    problem(failure.code, failure.message);
    if (failure.code === 'unauthenticated') close(CLOSE_CODES.unauthenticated, 'the credential is not valid');
    else if (failure.code === 'too_many_requests') close(CLOSE_CODES.tooMany, failure.message);
    else close(CLOSE_CODES.internal, failure.code);
  }

  async function resume(seq: string): Promise<void> {
    clearTimeout(firstWord);
    stream.stop();
    const asked = parsePosition(seq);
    const gap = await hub.gap(asked);
    answer(gap ? { type: 'resume_gap', oldest: gap.oldest } : { type: 'resumed', after: seq });
    if (!isOver()) stream.start(gap ? BEGINNING : asked);
  }

  async function handle(message: ClientMessage): Promise<void> {
    if (message.type === 'auth') return authenticate({ kind: 'token', value: message.token });
    if (principal === null) return problem('unauthenticated', 'Send {"type":"auth","token":…} first');
    switch (message.type) {
      case 'subscribe':
        if (!stream.subscribe(message.id, message.filters)) {
          return problem('too_many_requests', 'Too many subscriptions on one connection');
        }
        return answer({ type: 'subscribed', id: message.id });
      case 'unsubscribe':
        stream.unsubscribe(message.id);
        return answer({ type: 'unsubscribed', id: message.id });
      case 'resume':
        return resume(message.seq);
      case 'ping':
        return answer({ type: 'pong' });
    }
  }

  // What a client sends meanwhile waits for this.
  const { session } = options;
  const first = session === undefined ? Promise.resolve() : guard(authenticate({ kind: 'session', value: session }));

  function guard(handled: Promise<void>): Promise<void> {
    return handled.catch((err) => {
      log.warn({ err }, 'a message of a WebSocket could not be handled');
      close(CLOSE_CODES.internal, toFailure(err).code);
    });
  }

  readInbox(ws, first, {
    message: (message) => guard(handle(message)),
    problem(detail, last) {
      problem('invalid_input', detail);
      if (last) close(CLOSE_CODES.malformed, 'too many messages that cannot be read');
    },
    flood: () => close(CLOSE_CODES.tooMany, 'too many messages'),
  });
  ws.on('message', () => (heard = true));
  ws.on('pong', () => (heard = true));
  // The protocol's own faults: `ws` closes with their code by itself.
  ws.on('error', () => {});
  ws.on('close', () => {
    clearTimeout(patience);
    clearTimeout(firstWord);
    stream.stop();
  });

  const connection: Connection = {
    get credential() {
      return credential;
    },
    get closedWith() {
      return closedWith;
    },
    since: Date.now(),
    refreshed(now) {
      if (!mayDo(now, 'tasks:read')) return close(CLOSE_CODES.forbidden, `role ${now.role} lacks tasks:read`);
      principal = now;
      stream.see(now);
    },
    beat() {
      // A reader that is behind is judged by its buffer, and a ping would wait in it.
      if (stream.blocked) return;
      if (!heard) return close(CLOSE_CODES.silent, 'no answer to a ping');
      heard = false;
      if (ws.readyState === ws.OPEN) ws.ping();
    },
    close,
  };
  return connection;
}
