/** Calls to agents that are under way in this process: one step begins a call, and another may wait for its answer. */
import { CancelledFailure } from '@temporalio/activity';
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
  breakOff(reason: unknown): void;
}

export interface Calls {
  /** The task queue on which only this process listens. */
  queue: string;
  /** Joins the call of this attempt that is under way, or begins it. */
  take(of: Attempt, timeoutMs: number, begin: (signal: AbortSignal) => Promise<Answer>): Call;
  /** The attempt is over: its call is broken off, if there is one, and a step that comes for it too late makes no other. */
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
  /** Attempts that ended while they were called, for as long as a step of theirs may still be on its way. */
  const ended = new Set<string>();
  const keyOf = ({ task_id, attempt }: Attempt) => `${task_id}/${attempt}`;

  function forget(key: string, call: UnderWay): void {
    clearTimeout(call.unclaimed);
    if (calls.get(key) === call) calls.delete(key);
  }

  function breakOff(key: string, call: UnderWay, reason: unknown): void {
    forget(key, call);
    call.stop.abort(reason);
  }

  return {
    queue,
    take(of, timeoutMs, begin) {
      const key = keyOf(of);
      let call = calls.get(key);
      if (!call) {
        const stop = new AbortController();
        const until = performance.now() + timeoutMs;
        const answer = ended.has(key) ? Promise.reject(new Error('The attempt is over')) : begin(stop.signal);
        call = { answer, until, stop, unclaimed: undefined };
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
          clearTimeout(mine.unclaimed);
          mine.unclaimed = setTimeout(() => breakOff(key, mine, notWanted()), unclaimedMs);
          mine.unclaimed.unref();
        },
        breakOff: (reason) => breakOff(key, mine, reason),
      };
    },
    end(of) {
      const key = keyOf(of);
      const call = calls.get(key);
      if (!call) return;
      breakOff(key, call, notWanted());
      ended.add(key);
      setTimeout(() => ended.delete(key), unclaimedMs).unref();
    },
  };
}

/** What a call ends with that nobody waits for: no failure of anybody. */
const notWanted = () => new CancelledFailure('The call is not wanted any more');
