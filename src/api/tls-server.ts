/** TLS of the API's port: its terms, a plain answer for who speaks plain HTTP, and certificates renewed while it runs. */
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Config } from '../schema/config.ts';
import { type KeyPair, readServerTls } from '../schema/tls.ts';
import { endWith, plainProblem } from './client-errors.ts';

/** First byte of a TLS record that begins a handshake (RFC 8446, section 5.1). */
const HANDSHAKE = 0x16;
const HANDSHAKE_MS = 10_000;
const CHECK_MS = 60_000;

/** What `https.createServer` and `setSecureContext` take. */
export function tlsTerms(pair: KeyPair) {
  return { ...pair, minVersion: 'TLSv1.2' as const, handshakeTimeout: HANDSHAKE_MS };
}

/**
 * Looks at the first byte of each connection: TLS goes on as always, anything else gets a 400 in clear text. Returns
 * what cuts every connection, those included that have not come as far as a request.
 */
export function answerPlainHttp(server: HttpsServer): () => void {
  const open = new Set<Socket>();
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const giveUp = () => socket.destroy();
    socket.setTimeout(HANDSHAKE_MS, giveUp);
    socket.on('error', giveUp);
    socket.once('data', (chunk: Buffer) => {
      socket.pause();
      socket.setTimeout(0);
      socket.off('timeout', giveUp);
      if (chunk[0] !== HANDSHAKE) {
        endWith(socket, plainProblem('400 Bad Request', 'This port speaks https, not http'));
        return;
      }
      socket.off('error', giveUp);
      socket.unshift(chunk);
      for (const listener of listeners) listener.call(server, socket);
    });
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}

export interface CertificateWatch {
  /** Reads the files now. Resolves with whether they held something new that is now in use. */
  check(): boolean;
  stop(): void;
}

/**
 * Reads TLS_CERT and TLS_KEY again each minute and on SIGHUP; a new pair serves the connections that come after. A
 * pair that is not whole, as in the middle of being replaced, changes nothing and is told of.
 */
export function watchCertificate(options: {
  config: Pick<Config, 'TLS_CERT' | 'TLS_KEY'>;
  inUse: KeyPair;
  renew: (pair: KeyPair) => void;
  log: Pick<Logger, 'info' | 'error'>;
  everyMs?: number;
}): CertificateWatch {
  const { config, renew, log } = options;
  let { inUse } = options;
  let complaint = '';
  function check(): boolean {
    try {
      const pair = readServerTls(config);
      complaint = '';
      if (pair === null || (pair.cert === inUse.cert && pair.key === inUse.key)) return false;
      renew(pair);
      inUse = pair;
      log.info('the certificate was renewed');
      return true;
    } catch (error) {
      const { message } = error as Error;
      if (message !== complaint) log.error({ err: error }, 'the certificate cannot be renewed; the old one goes on');
      complaint = message;
      return false;
    }
  }
  const timer = setInterval(check, options.everyMs ?? CHECK_MS);
  timer.unref();
  process.on('SIGHUP', check);
  return {
    check,
    stop() {
      clearInterval(timer);
      process.off('SIGHUP', check);
    },
  };
}
