/** Requests that are no HTTP: answered like every other refusal, before the connection is closed. */
import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { problemBody } from './problems.ts';

/** What node's parser gave up on, by its code; anything else is malformed. */
const KNOWN: Record<string, [status: string, detail: string]> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers, or the address, are over 16 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The headers did not arrive in time'],
};
const LAST_WORD_MS = 1_000;
const MALFORMED: [string, string] = ['400 Bad Request', 'This is not a request that HTTP/1.1 allows'];

/** Statuses beside those of the failure codes, with what OpenAPI says of them. */
export const CONNECTION_STATUSES = {
  '408': 'The headers or the body did not arrive in time; the connection is closed',
  '431': 'The headers, or the address, are over 16 KiB; the connection is closed',
} as const;

export function answerClientErrors(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    endWith(socket, plainProblem(...(KNOWN[error.code ?? ''] ?? MALFORMED)));
  });
}

/**
 * Says a last word and closes. What the peer still sends is thrown away for a moment: closed at once, the connection
 * would be reset and the word lost.
 */
export function endWith(socket: Duplex, answer: string): void {
  socket.end(answer);
  socket.resume();
  const cut = setTimeout(() => socket.destroy(), LAST_WORD_MS);
  socket.once('close', () => clearTimeout(cut));
}

/** A whole answer as bytes on a socket, for where there is no request to answer. */
export function plainProblem(statusLine: string, detail: string): string {
  const status = Number(statusLine.slice(0, 3));
  const body = JSON.stringify({ ...problemBody('invalid_input', detail, [], null), status });
  return [
    `HTTP/1.1 ${statusLine}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n');
}
