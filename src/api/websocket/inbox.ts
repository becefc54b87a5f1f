/** What comes in over one WebSocket: read, checked, and handed on one after the other. */
import type { WebSocket } from 'ws';
import { ClientMessage } from '../../schema/live.ts';

/** Unreadable messages after which a socket is closed. */
const STRIKES = 5;
/** Messages that may wait for the one before them. */
const WAITING = 64;
/** Messages at once, and a second from then on. */
const BURST = 100;
const PER_SECOND = 20;

export interface InboxHandlers {
  message(message: ClientMessage): Promise<void>;
  /** A message that cannot be read; `last` when the socket should be closed for it. */
  problem(detail: string, last: boolean): void;
  /** More messages than anybody needs. */
  flood(): void;
}

/** Handlers are called in the order of the messages, each after the one before has resolved, and after `first`. */
export function readInbox(
  ws: WebSocket,
  first: Promise<void>,
  handlers: InboxHandlers,
  now: () => number = Date.now,
): void {
  let strikes = 0;
  let waiting = 0;
  let tokens = BURST;
  let stamp = now();
  let last = first;

  function spend(): boolean {
    tokens = Math.min(BURST, tokens + ((now() - stamp) / 1000) * PER_SECOND);
    stamp = now();
    tokens -= 1;
    return tokens >= 0 && waiting < WAITING;
  }

  ws.on('message', (data, isBinary) => {
    if (ws.readyState !== ws.OPEN) return;
    if (!spend()) return handlers.flood();
    const read = isBinary ? 'must be text' : readMessage(String(data));
    if (typeof read === 'string') {
      strikes += 1;
      return handlers.problem(read, strikes >= STRIKES);
    }
    waiting += 1;
    last = last.then(async () => {
      waiting -= 1;
      if (ws.readyState === ws.OPEN) await handlers.message(read);
    });
  });
}

/** The message, or what is wrong with it. */
export function readMessage(text: string): ClientMessage | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is not JSON';
  }
  const parsed = ClientMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return `${issue?.path.join('.') || '(message)'}: ${issue?.message ?? 'is not known'}`;
}
