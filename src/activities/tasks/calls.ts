/** Calls to agents that are under way in this process: one step begins a call, and another may wait for its answer. */
import type { JsonObject } from '../../schema/json.ts';
import type { TaskStep } from '../../schema/task-flow.ts';

/** A call that nobody came for in this time is broken off: whoever takes the attempt on calls again. */
const UNCLAIMED_MS = 30_000;

/** Null: the agent works on by itself, and will call back. */
export type Answer = JsonObject | null;

export interface Call {
  /** Rejects with what the call threw. */
  answer: Promise<Answer>;
  /** When the call runs out of time, by `performance.now()`. */
  until: number;
  /** The answer was dealt with: the next one to ask begins anew. */
  forget(): void;
  /** Another step of the same attempt comes for the answer soon. */
  leave(): void;
  /** Nobody wants the answer any more. */
  breakOff(): void;
}

export interface Calls {
  /** The task queue on which only this process listens. */
  queue: string;
  /** Joins the call of this attempt that is under way, or begins it. */
  take(of: Attempt, timeoutMs: number, begin: (signal: AbortSignal) => Promise<Answer>): Call;
  /** The attempt is over: its call is broken off, if there is one. */
  end(of: Attempt): void;
}

type Attempt = Pick<TaskStep, 'task_id' | 'attempt'>;

interface UnderWay {
  answer: Promise<Answer>;
  until: number;
  stop: AbortController;
  unclaimed: NodeJS.Timeout | undefined;
}

export function createCalls(queue: string, unclaimedMs = UNCLAIMED_MS): Calls {
  const calls = new Map<string, UnderWay>();
  const keyOf = ({ task_id, attempt }: Attempt) => `${task_id}/${attempt}`;

  function forget(key: string, call: UnderWay): void {
    clearTimeout(call.unclaimed);
    if (calls.get(key) === call) calls.delete(key);
  }

  function breakOff(key: string, call: UnderWay): void {
    forget(key, call);
    call.stop.abort();
  }

  return {
    queue,
    take(of, timeoutMs, begin) {
      const key = keyOf(of);
      let call = calls.get(key);
      if (!call) {
        const stop = new AbortController();
        const until = performance.now() + timeoutMs;
        call = { answer: begin(stop.signal), until, stop, unclaimed: undefined };
        // Whoever holds the call hears of it; one that is left alone must not end the process.
        call.answer.catch(() => {});
        calls.set(key, call);
      }
      const mine = call;
      clearTimeout(mine.unclaimed);
      return {
        answer: mine.answer,
        until: mine.until,
        forget: () => forget(key, mine),
        leave() {
          mine.unclaimed = setTimeout(breakOff, unclaimedMs, key, mine);
          mine.unclaimed.unref();
        },
        breakOff: () => breakOff(key, mine),
      };
    },
    end(of) {
      const call = calls.get(keyOf(of));
      if (call) breakOff(keyOf(of), call);
    },
  };
}
