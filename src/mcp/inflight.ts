/** Calls of 2025 clients under way in this process, so that a cancellation arriving as its own request finds them. */
import type { RequestId } from '@modelcontextprotocol/server';
import type { Caller } from './caller.ts';

export interface Inflight {
  /** A signal that ends with `signal`, or with a cancellation of this call. Call `done` at the end. */
  track(caller: Caller, id: RequestId, signal: AbortSignal): { signal: AbortSignal; done: () => void };
  /** Looks for `notifications/cancelled` in a message and ends the call it names. */
  noticeCancellation(caller: Caller, message: unknown): void;
}

export function createInflight(): Inflight {
  const calls = new Map<string, AbortController>();
  // Request ids are counted per client: without the session one client could end another's call.
  const keyOf = (caller: Caller, id: unknown) =>
    caller.session === null ? null : JSON.stringify([caller.principal.id, caller.session, id]);

  return {
    track(caller, id, signal) {
      const key = keyOf(caller, id);
      if (key === null) return { signal, done: () => {} };
      const controller = new AbortController();
      calls.set(key, controller);
      return { signal: AbortSignal.any([signal, controller.signal]), done: () => calls.delete(key) };
    },
    noticeCancellation(caller, message) {
      if (caller.session === null || typeof message !== 'object' || message === null) return;
      const { method, params } = message as { method?: unknown; params?: { requestId?: unknown } };
      if (method !== 'notifications/cancelled') return;
      calls.get(keyOf(caller, params?.requestId) ?? '')?.abort();
    },
  };
}
