/** Which upgrades become WebSockets: the right path, host and origin, and how the others are refused. */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { parse } from 'hono/utils/cookie';
import type { Config } from '../../schema/config.ts';
import { Failure } from '../../schema/failures.ts';
import { cookieName } from '../cookies.ts';
import { type HostSettings, hostRule } from '../hosts.ts';
import { problemBody } from '../problems.ts';

export const LIVE_PATH = '/ws';

export type UpgradeSettings = HostSettings & Pick<Config, 'SERVER_PORT'>;

export interface UpgradeRule {
  /** Throws Failure: `not_found` or `forbidden`. Answers with the session cookie, if a page of our own sent one. */
  check(request: IncomingMessage): { session: string | undefined };
}

/** Whether to leave HTTP at all: other protocols that clients offer in passing (h2c) are answered as HTTP. */
export function asksForWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket';
}

export function upgradeRule(settings: UpgradeSettings): UpgradeRule {
  const isRightHost = hostRule(settings);
  const publicOrigin = new URL(settings.publicUrl).origin;
  return {
    check(request) {
      const host = request.headers.host ?? '';
      if (!isRightHost(host)) {
        throw new Failure('forbidden', `Host ${JSON.stringify(host.slice(0, 100))} is not one of ALLOWED_HOSTS`);
      }
      if (pathOf(request) !== LIVE_PATH) throw new Failure('not_found', `WebSockets are at ${LIVE_PATH}`);
      const { origin } = request.headers;
      if (origin === undefined) return { session: undefined };
      // Only browsers send one, and they let any page open a WebSocket, cookies included.
      const isOurs = URL.canParse(origin) && (new URL(origin).host === host.toLowerCase() || origin === publicOrigin);
      if (!isOurs) throw new Failure('forbidden', 'A page of another origin may not connect');
      return { session: parse(request.headers.cookie ?? '', cookieName(settings))[cookieName(settings)] };
    },
  };
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

/** Answers with a problem and closes. */
export function refuseUpgrade(socket: Duplex, failure: Failure): void {
  const body = JSON.stringify(problemBody(failure.code, failure.message, failure.faults, null));
  const retry = failure.retryAfterSeconds === undefined ? [] : [`Retry-After: ${failure.retryAfterSeconds}`];
  const head = [
    `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...retry,
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
