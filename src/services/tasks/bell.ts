/** Rings when tasks wait for agents that pull: one LISTEN connection a process, open while somebody waits. */
import pg from 'pg';
import type { Deps } from '../../deps.ts';
import { TASKS_CHANNEL } from '../../stores/task-events.ts';

type Needs = Pick<Deps, 'config' | 'log'>;

interface Listener {
  client: pg.Client;
  waiting: number;
  ring: () => void;
  next: Promise<void>;
  /** Settles when notifications are heard, or cannot be. */
  ready: Promise<void>;
}

/** By the dependencies of a process, which live as long as it does. */
const listeners = new WeakMap<Needs, Listener>();

export interface Waiting {
  /** Resolves at the next ring after this was called, after `ms`, or when `signal` aborts. */
  rung(ms: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Never throws: without a connection waiting ends by time alone. */
export async function waitForTasks(deps: Needs): Promise<Waiting> {
  let listener = listeners.get(deps);
  if (!listener) {
    listener = listen(deps);
    listeners.set(deps, listener);
  }
  const mine = listener;
  mine.waiting += 1;
  await mine.ready;
  return {
    rung: (ms, signal) => first(mine.next, ms, signal),
    close() {
      mine.waiting -= 1;
      if (mine.waiting > 0) return;
      if (listeners.get(deps) === mine) listeners.delete(deps);
      mine.client.end().catch(() => {});
    },
  };
}

function listen(deps: Needs): Listener {
  const client = new pg.Client({
    connectionString: deps.config.DATABASE_URL,
    application_name: 'ostinato-tasks',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  const listener: Listener = { client, waiting: 0, ring: () => {}, next: Promise.resolve(), ready: Promise.resolve() };
  const renew = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    listener.next = promise;
    listener.ring = resolve;
  };
  renew();
  const gone = () => {
    // Who comes next opens another; who waits now goes on by time.
    if (listeners.get(deps) === listener) listeners.delete(deps);
  };
  client.on('notification', () => {
    const { ring } = listener;
    renew();
    ring();
  });
  client.on('error', gone);
  client.on('end', gone);
  listener.ready = client
    .connect()
    .then(() => client.query(`LISTEN ${TASKS_CHANNEL}`))
    .then(
      () => {},
      (err) => {
        gone();
        deps.log.warn({ err }, 'the channel of tasks could not be opened; agents that wait are served by time');
      },
    );
  return listener;
}

function first(rung: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) return done();
    rung.then(done);
  });
}
