/** Rung by every commit that wrote events, in whichever process: one LISTEN connection. */
import pg from 'pg';
import type { Deps } from '../../deps.ts';
import { EVENTS_CHANNEL } from '../../stores/events.ts';

export interface Bell {
  /** Resolves at the first ring after this was called. */
  next(): Promise<void>;
  /** Whether rings can be heard at all. */
  readonly connected: boolean;
  /** Resolves once the connection is closed, after the signal aborted. */
  readonly closed: Promise<void>;
}

const RECONNECT_MS = 1_000;

/** Keeps one connection on the channel until `signal` aborts, and rings once whenever it is open again. */
export function openBell(deps: Pick<Deps, 'config' | 'log'>, signal: AbortSignal): Bell {
  let { promise, resolve } = Promise.withResolvers<void>();
  let connected = false;
  const ring = () => {
    resolve();
    ({ promise, resolve } = Promise.withResolvers<void>());
  };
  const closed = listen(deps, ring, (state) => (connected = state), signal);
  return {
    next: () => promise,
    get connected() {
      return connected;
    },
    closed,
  };
}

/** True when `rung` resolved within `ms`. */
export function waitFor(rung: Promise<void>, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (byBell: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      resolve(byBell);
    };
    const aborted = () => done(false);
    const timer = setTimeout(() => done(false), ms);
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) return done(false);
    rung.then(() => done(true));
  });
}

async function listen(
  deps: Pick<Deps, 'config' | 'log'>,
  ring: () => void,
  onState: (connected: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const client = new pg.Client({
      connectionString: deps.config.DATABASE_URL,
      application_name: 'ostinato-events',
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    });
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    client.on('error', () => end());
    client.on('end', () => end());
    client.on('notification', () => ring());
    const stop = () => end();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await client.connect();
      await client.query(`LISTEN ${EVENTS_CHANNEL}`);
      onState(true);
      // What was committed while nobody listened.
      ring();
      await over;
    } catch (err) {
      deps.log.warn({ err }, 'the event channel could not be opened; trying again');
    }
    onState(false);
    signal.removeEventListener('abort', stop);
    await client.end().catch(() => {});
    await waitFor(new Promise(() => {}), RECONNECT_MS, signal);
  }
}
