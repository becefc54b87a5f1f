/** Follows one thing of the API until it is over: by events while they come, by asking while they do not. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import type { Api } from './api.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { followEvents, type ServerEvent } from './sse.ts';

/** What is followed. */
export interface Watched<T extends z.ZodType> {
  schema: T;
  /** Where to ask how it stands. */
  path: string;
  /** The stream of its events from now on; what came before is in the answer itself. */
  events: string;
  isOver(view: z.output<T>): boolean;
  onView(view: z.output<T>): void | Promise<void>;
  /** True when the event told all there is to know; else it is asked for. */
  onEvent?(event: ServerEvent): boolean;
}

export interface WatchOptions {
  signal: AbortSignal;
  /** How long the API may be away before that is an error. */
  patienceMs?: number;
  /** Between two looks while events come, while they do not, and at the very least. */
  pollMs?: { connected: number; alone: number; least?: number };
}

/**
 * Resolves with the last view once it is over. Throws CliError: it is gone (5), or the API stays away longer than
 * `patienceMs` (3); and the signal's reason.
 */
export async function watchUntil<T extends z.ZodType>(
  api: Api,
  watched: Watched<T>,
  options: WatchOptions,
): Promise<z.output<T>> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, options.signal]);
  const poll = options.pollMs ?? { connected: 5_000, alone: 1_000 };
  const patienceMs = options.patienceMs ?? 120_000;
  let connected = false;
  let wake = Promise.withResolvers<void>();
  const follow = async () => {
    const onState = (state: boolean) => {
      connected = state;
      // Whatever happened before the stream was open is asked for.
      if (state) wake.resolve();
    };
    for await (const event of followEvents(api, watched.events, { signal, onState })) {
      if (!watched.onEvent?.(event)) wake.resolve();
    }
  };
  // Where events are refused, asking alone goes on; a fault worth telling shows there too.
  const tolerantly = () =>
    follow().catch(() => {
      connected = false;
    });
  const pause = (ms: number, until?: Promise<void>) => {
    const timer = new AbortController();
    const rest = sleep(ms, undefined, { signal: AbortSignal.any([signal, timer.signal]) }).catch(() => {});
    return Promise.race(until ? [rest, until] : [rest]).finally(() => timer.abort());
  };
  let following: Promise<void> | undefined;
  try {
    let awaySince: number | null = null;
    for (;;) {
      wake = Promise.withResolvers<void>();
      try {
        const view = await api.call(watched.schema, 'GET', watched.path, { signal });
        awaySince = null;
        await watched.onView(view);
        if (watched.isOver(view)) return view;
        following ??= tolerantly();
      } catch (error) {
        options.signal.throwIfAborted();
        if (!(error instanceof CliError) || error.exit !== EXIT.unreachable) throw error;
        awaySince ??= Date.now();
        if (Date.now() - awaySince >= patienceMs) throw error;
      }
      // Events that come in crowds are answered by one look.
      if (poll.least) await pause(poll.least);
      await pause(connected && awaySince === null ? poll.connected : poll.alone, wake.promise);
      options.signal.throwIfAborted();
    }
  } finally {
    stop.abort();
    await following;
  }
}
