/** Events as they go over a WebSocket: made once to the last byte, however many sockets take them. */
import { LIVE_DATA } from '../../schema/live.ts';
import { liveType } from '../../services/events/view.ts';
import type { LoggedEvent } from '../../stores/events.ts';

const made = new WeakMap<LoggedEvent, Buffer>();

/** A whole frame of RFC 6455, header and all: to a socket without extensions it is the same for everybody. */
export function frameOf(event: LoggedEvent): Buffer {
  const known = made.get(event);
  if (known) return known;
  const frame = textFrame(JSON.stringify(messageOf(event)));
  made.set(event, frame);
  return frame;
}

/** Final, text, not masked (section 5.2). */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = 0x81;
  if (length < 126) header[1] = length;
  else if (length < 65_536) {
    header[1] = 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([header, payload]);
}

/** The four types of their own carry exactly their fields and `seq`; every other event is `{type: 'event', …}`. */
export function messageOf({ id, name, data }: LoggedEvent): Record<string, unknown> {
  const type = liveType(name);
  if (!(name in LIVE_DATA)) return { type, name, seq: id, data };
  const fields = Object.keys(LIVE_DATA[name as keyof typeof LIVE_DATA].shape);
  return { type, ...Object.fromEntries(fields.map((field) => [field, data[field]])), seq: id };
}
