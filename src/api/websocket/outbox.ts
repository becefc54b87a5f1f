/** What goes out over one WebSocket, never more waiting than a few kilobytes. */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

export interface Outbox {
  /** Sends one event, given as a whole frame. Ask `full` afterwards, and wait for room before the next. */
  event(frame: Buffer): void;
  /** Sends an answer; false when there is no room left even for that. */
  answer(message: Record<string, unknown>): boolean;
  readonly full: boolean;
  /** Resolves true once everything was written out, false when that took longer than `ms` or the socket closed. */
  room(ms: number): Promise<boolean>;
}

/** `socket` is what lies under `ws`. */
export function createOutbox(ws: WebSocket, socket: Duplex, bufferBytes: number): Outbox {
  const isOpen = () => ws.readyState === ws.OPEN;
  return {
    event(frame) {
      // Past `ws`, which would make a header for every socket: it writes only whole frames itself, so none is cut in two.
      if (isOpen()) socket.write(frame);
    },
    answer(message) {
      // Answers may use twice the room, so that a full reader still hears one, and one that only asks is stopped.
      if (ws.bufferedAmount > 2 * bufferBytes) return false;
      if (isOpen()) ws.send(JSON.stringify(message));
      return true;
    },
    get full() {
      return ws.bufferedAmount > bufferBytes;
    },
    room(ms) {
      return new Promise((resolve) => {
        const done = (hasRoom: boolean) => {
          clearTimeout(timer);
          socket.off('drain', drained);
          ws.off('close', closed);
          resolve(hasRoom);
        };
        const drained = () => done(true);
        const closed = () => done(false);
        const timer = setTimeout(closed, ms);
        socket.once('drain', drained);
        ws.once('close', closed);
        if (!isOpen()) closed();
        else if (ws.bufferedAmount === 0) drained();
      });
    },
  };
}
