/** `ostinato mcp`: the door for clients that start a program and talk through its pipes. */
import { type Readable, Transform, type Writable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { JSONRPCMessage } from '@modelcontextprotocol/server';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { createBridge } from './bridge.ts';
import type { Message } from './headers.ts';

/** Exit codes, after sysexits(3). */
export const EXIT = { ok: 0, unreachable: 69, refused: 77 } as const;

export interface StdioOptions {
  /** Address of the API's MCP endpoint, `?rooms=…` included where wanted. */
  url: string;
  apiKey: string;
  stdin: Readable;
  /** Carries the protocol and nothing else. */
  stdout: Writable;
  stderr: Writable;
  /** How long the API may be away: at the start, and for each request later. */
  patienceMs?: { start: number; request: number };
}

/**
 * Resolves with the exit code once the client has closed its end and what it asked before is answered, or at once
 * when the API cannot be used.
 */
export async function runStdio(options: StdioOptions): Promise<number> {
  const patience = options.patienceMs ?? { start: 5_000, request: 30_000 };
  const complain = (text: string) => void options.stderr.write(`ostinato mcp: ${text}\n`);
  const fault = await probe(options.url, options.apiKey, patience.start);
  if (fault) {
    complain(fault.text);
    return fault.exit;
  }
  const stdin = endingAfter(options.stdin, () => bridge.settled());
  const transport = new StdioServerTransport(stdin, options.stdout);
  const bridge = createBridge({
    url: options.url,
    apiKey: options.apiKey,
    patienceMs: patience.request,
    complain,
    send: (message) => void transport.send(message as JSONRPCMessage).catch((error: Error) => complain(error.message)),
  });
  const closed = Promise.withResolvers<void>();
  transport.onmessage = (message) => bridge.forward(message as Message);
  transport.onerror = (error) => complain(error.message);
  transport.onclose = () => closed.resolve();
  await transport.start();
  await closed.promise;
  bridge.close();
  return EXIT.ok;
}

/** The same bytes, with an end that waits for `settled`: the transport answers nothing after the end of its input. */
function endingAfter(source: Readable, settled: () => Promise<void>): Readable {
  const held = new Transform({
    transform: (chunk, _encoding, next) => next(null, chunk),
    flush(done) {
      const wait = async () => {
        while (held.readableLength > 0) await nextTurn();
        await settled();
      };
      wait().then(() => done(), done);
    },
  });
  // A pipe that breaks is a client that is gone.
  source.on('error', () => held.end());
  return source.pipe(held);
}

/** Whether the API is there and takes the key: any answer but a refusal means yes. */
async function probe(url: string, apiKey: string, patienceMs: number): Promise<{ text: string; exit: number } | null> {
  const giveUpAt = Date.now() + patienceMs;
  for (let pause = 100; ; pause *= 2) {
    try {
      const response = await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } });
      await response.body?.cancel();
      if (response.status === 401) return { text: `the API at ${url} refuses the API key`, exit: EXIT.refused };
      if (response.status === 403) return { text: `the API at ${url} refuses this host name`, exit: EXIT.refused };
      return null;
    } catch (error) {
      if (Date.now() + pause < giveUpAt) {
        await sleep(pause);
        continue;
      }
      const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
      const text = `the API at ${url} cannot be reached${cause}; start it with \`npm start\``;
      return { text, exit: EXIT.unreachable };
    }
  }
}
