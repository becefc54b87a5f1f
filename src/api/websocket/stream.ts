/** The events of one WebSocket: what its caller may see, what it subscribed to, as fast as it takes them. */
import type { Logger } from 'pino';
import type { LiveFilters } from '../../schema/live.ts';
import type { Principal } from '../../schema/principal.ts';
import type { EventHub } from '../../services/event-hub.ts';
import type { EventReader } from '../../services/events/reader.ts';
import { type LiveView, toEventFilter, visibleTo } from '../../services/events/view.ts';
import { BEGINNING, type EventPosition } from '../../stores/event-position.ts';
import type { EventFilter } from '../../stores/events.ts';
import { frameOf } from './frames.ts';
import type { Outbox } from './outbox.ts';

const MAX_SUBSCRIPTIONS = 100;

export interface EventStream {
  /** Whose eyes it has from now on. */
  see(principal: Principal): void;
  /** Everything that may be seen, until the first subscription. False when there are too many. */
  subscribe(id: string, filters: LiveFilters): boolean;
  /** Without any subscription left, nothing is sent. */
  unsubscribe(id: string): void;
  /** Sends what comes after `position`, from there on without a gap or a repeat. */
  start(position: EventPosition): void;
  /** Where it stands until it is started. */
  pauseAt(position: EventPosition): void;
  stop(): void;
  /** Whether it waits for a reader that takes nothing. */
  readonly blocked: boolean;
  readonly position: EventPosition;
}

export interface EventStreamOptions {
  hub: EventHub;
  outbox: Outbox;
  log: Logger;
  slowMs: number;
  onFrame(): void;
  onSlow(): void;
}

export function createStream(options: EventStreamOptions): EventStream {
  const { hub, outbox, log } = options;
  /** Null: never subscribed, so everything. */
  let subscriptions: Map<string, EventFilter> | null = null;
  const view: LiveView = { owners: new Set(), resources: new Set(), wanted: null };
  let reader: EventReader | null = null;
  let position = BEGINNING;
  let blocked = false;
  let seen = '';

  async function pump(from: EventReader): Promise<void> {
    while (await from.more()) {
      if (outbox.full && !(await room())) return options.onSlow();
      const event = from.take();
      if (!event) continue;
      outbox.event(frameOf(event));
      options.onFrame();
    }
  }

  async function room(): Promise<boolean> {
    blocked = true;
    const hasRoom = await outbox.room(options.slowMs);
    blocked = false;
    return hasRoom;
  }

  function stop(): void {
    if (!reader) return;
    ({ position } = reader);
    reader.close();
    reader = null;
  }

  function changed(): void {
    view.wanted = subscriptions && [...subscriptions.values()];
    reader?.changed();
  }

  return {
    see(principal) {
      const { owners, resources } = visibleTo(principal);
      const sees = JSON.stringify([owners, resources]);
      if (sees === seen) return;
      seen = sees;
      view.owners = owners && new Set(owners);
      view.resources = new Set(resources);
      reader?.changed();
    },
    subscribe(id, filters) {
      subscriptions ??= new Map();
      if (subscriptions.size >= MAX_SUBSCRIPTIONS && !subscriptions.has(id)) return false;
      subscriptions.set(id, toEventFilter(filters));
      changed();
      return true;
    },
    unsubscribe(id) {
      subscriptions ??= new Map();
      subscriptions.delete(id);
      changed();
    },
    start(after) {
      stop();
      const opened = hub.open(view, after);
      reader = opened;
      pump(opened).catch((err) => {
        log.error({ err }, 'a stream of events broke');
        options.onSlow();
      });
    },
    pauseAt(at) {
      position = at;
    },
    stop,
    get blocked() {
      return blocked;
    },
    get position() {
      return reader?.position ?? position;
    },
  };
}
