/** Looks at the credentials of open sockets again and again, so that one which ended ends its sockets. */
import type { Logger } from 'pino';
import { CLOSE_CODES } from '../../schema/live.ts';
import { toFailure } from '../../schema/unknown-error.ts';
import type { Authenticator, Credential } from '../../services/access/authenticate.ts';
import type { Connection } from './connection.ts';

export interface Recheck {
  start(): void;
  stop(): void;
}

/** Credentials looked at at once: a thousand sockets must not take the database from the requests. */
const AT_ONCE = 4;

/** Sockets of one credential share a look. One that nobody can judge right now stays open. */
export function createRecheck(options: {
  authenticator: Authenticator;
  log: Logger;
  open: ReadonlySet<Connection>;
  everyMs: number;
}): Recheck {
  const { authenticator, log, open, everyMs } = options;
  let timer: NodeJS.Timeout | undefined;
  let running = false;

  async function round(): Promise<void> {
    const holders = byCredential(open);
    const left = [...holders.values()];
    const look = async () => {
      for (let next = left.pop(); next; next = left.pop()) await check(next.credential, next.connections);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, look));
  }

  async function check(credential: Credential, connections: Connection[]): Promise<void> {
    try {
      const principal = await authenticator.authenticate(credential);
      for (const connection of connections) connection.refreshed(principal);
    } catch (error) {
      const { code } = toFailure(error);
      if (code !== 'unauthenticated') return log.debug({ code }, 'a credential could not be looked at again');
      for (const connection of connections) connection.close(CLOSE_CODES.unauthenticated, 'the credential has ended');
    }
  }

  return {
    start() {
      timer ??= setInterval(() => {
        if (running) return;
        running = true;
        round().finally(() => (running = false));
      }, everyMs);
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

function byCredential(open: ReadonlySet<Connection>) {
  const found = new Map<string, { credential: Credential; connections: Connection[] }>();
  for (const connection of open) {
    const { credential } = connection;
    if (!credential) continue;
    const key = `${credential.kind} ${credential.value}`;
    const known = found.get(key);
    if (known) known.connections.push(connection);
    else found.set(key, { credential, connections: [connection] });
  }
  return found;
}
