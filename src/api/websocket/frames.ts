/** Events as they go over a WebSocket: serialised once, however many sockets take them. */
import { LIVE_DATA } from '../../schema/live.ts';
import { liveType } from '../../services/events/view.ts';
import type { LoggedEvent } from '../../stores/events.ts';

const made = new WeakMap<LoggedEvent, Buffer>();

/** The four types of their own carry exactly their fields and `seq`; every other event is `{type: 'event', …}`. */
export function frameOf(event: LoggedEvent): Buffer {
  const known = made.get(event);
  if (known) return known;
  const frame = Buffer.from(JSON.stringify(messageOf(event)));
  made.set(event, frame);
  return frame;
}

function messageOf({ id, name, data }: LoggedEvent): Record<string, unknown> {
  const type = liveType(name);
  if (!(name in LIVE_DATA)) return { type, name, seq: id, data };
  const fields = Object.keys(LIVE_DATA[name as keyof typeof LIVE_DATA].shape);
  return { type, ...Object.fromEntries(fields.map((field) => [field, data[field]])), seq: id };
}
