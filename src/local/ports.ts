/** Free and taken ports of one address. */
import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

/**
 * Below what systems hand to outgoing connections, which could otherwise take the port before the server does; and
 * Temporal keeps its own port numbers in a signed 16-bit column.
 */
const LOWEST = 15_000;
const HIGHEST = 32_000;

/** A port of `host` that was free a moment ago. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port, host)) return port;
  }
  throw new Error(`no free port was found on ${host}`);
}

/** Whether nothing listens on `port` of `host`, found by listening there for a moment. */
export function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** Whether something accepts connections on `port` of `host`. */
export function accepts(port: number, host = '127.0.0.1', timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
  });
}

/** What servers say when somebody was quicker: Temporal, Postgres, Node. */
const TAKEN = /address (already )?in use|EADDRINUSE|could not bind/i;
const TRIES = 3;

/**
 * Runs `start`, which picks its own ports, again when one was taken between the look and its use. Any other failure,
 * and the third of this kind, is thrown on.
 */
export async function withFreshPorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (attempt === TRIES || !TAKEN.test(String(error))) throw error;
    }
  }
}
