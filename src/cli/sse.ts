/** Reads `text/event-stream` and comes back after the last event when the connection drops. */

import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from './api.ts';
import { isAbort } from './connection.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

export interface ServerEvent {
  id: string | null;
  name: string;
  data: string;
}

/** The events of a stream, by https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
export async function* parseEvents(
  chunks: AsyncIterable<Uint8Array>,
  onRetry: (ms: number) => void = () => {},
): AsyncGenerator<ServerEvent> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let id: string | null = null;
  let name = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    rest += decoder.write(Buffer.from(chunk));
    // A carriage return at the very end may be the first half of a line end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, name: name || 'message', data: data.join('\n') };
        name = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') data.push(value);
      else if (field === 'event') name = value;
      else if (field === 'id' && !value.includes('\0')) id = value;
      else if (field === 'retry' && /^\d{1,6}$/.test(value)) onRetry(Number(value));
    }
  }
}

const LONGEST_PAUSE_MS = 10_000;

/**
 * Events of `path`, over as many connections as it takes, each going on after the last event seen. Ends only when
 * `signal` aborts; throws CliError when the API refuses the stream for good. `onState` hears whether it is connected.
 */
export async function* followEvents(
  api: Api,
  path: string,
  options: { signal: AbortSignal; onState?(connected: boolean): void; firstPauseMs?: number },
): AsyncGenerator<ServerEvent> {
  let lastId: string | null = null;
  let retryMs = options.firstPauseMs ?? 250;
  let failures = 0;
  while (!options.signal.aborted) {
    try {
      const headers = { accept: 'text/event-stream', ...(lastId === null ? {} : { 'last-event-id': lastId }) };
      const { body } = await api.open(path, { headers, signal: options.signal });
      options.onState?.(true);
      for await (const event of parseEvents(body, (ms) => {
        if (options.firstPauseMs === undefined) retryMs = ms;
      })) {
        failures = 0;
        if (event.id !== null) lastId = event.id;
        yield event;
      }
    } catch (error) {
      if (options.signal.aborted || isAbort(error)) return;
      // Away for now (3) is waited out, and so is a stream that breaks in the middle; a refusal is not.
      if (error instanceof CliError && error.exit !== EXIT.unreachable) throw error;
    }
    options.onState?.(false);
    const pause = Math.min(retryMs * 2 ** failures++, LONGEST_PAUSE_MS);
    await sleep(pause, undefined, { signal: options.signal }).catch(() => {});
  }
}
