/** What goes out over one WebSocket, never more waiting than a few kilobytes. */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

export interface Outbox {
  /** Sends one event, given as a whole frame. Ask `full` before the next, and wait for room. */
  event(frame: Buffer): void;
  /** Sends an answer; false when there is no room left even for that. */
  answer(message: Record<string, unknown>): boolean;
  readonly full: boolean;
  /** Resolves true once half of what may wait is free again, false when that took longer than `ms` or the socket closed. */
  room(ms: number): Promise<boolean>;
}

/** `socket` is what lies under `ws`. */
export function createOutbox(ws: WebSocket, socket: Duplex, bufferBytes: number): Outbox {
  let waiter: (() => void) | null = null;
  const isOpen = () => ws.readyState === ws.OPEN;
  const hasRoom = () => ws.bufferedAmount <= bufferBytes / 2;
  const written = () => {
    if (waiter !== null && hasRoom()) waiter();
  };
  return {
    event(frame) {
      // Past `ws`, which would make a header for every socket: it writes only whole frames itself, so none is cut in two.
      if (isOpen()) socket.write(frame, written);
    },
    answer(message) {
      // Answers may use twice the room, so that a full reader still hears one, and one that only asks is stopped.
      if (ws.bufferedAmount > 2 * bufferBytes) return false;
      if (isOpen()) ws.send(JSON.stringify(message), written);
      return true;
    },
    get full() {
      return ws.bufferedAmount > bufferBytes;
    },
    room(ms) {
      return new Promise((resolve) => {
        const done = (room: boolean) => {
          clearTimeout(timer);
          ws.off('close', closed);
          waiter = null;
          resolve(room);
        };
        const closed = () => done(false);
        const timer = setTimeout(closed, ms);
        ws.once('close', closed);
        waiter = () => done(true);
        if (!isOpen()) closed();
        else written();
      });
    },
  };
}
