/** What follows from the end of an attempt: over, or another one, and when. */
import type { TaskStatus } from '../schema/names.ts';
import type { FailureRecord } from '../schema/tables.ts';
import { MAX_LOST } from '../schema/tasks.ts';

/** How an attempt ended. */
export type Ending =
  | { kind: 'completed' }
  | { kind: 'failed'; error: FailureRecord; retryable: boolean }
  | { kind: 'timeout' }
  /** Whoever did it went away, was never reached, or said "not now": `pause_ms` is how long it asked to be left alone. */
  | { kind: 'lost'; detail: string; pause_ms?: number }
  | { kind: 'cancelled' };

export interface Standing {
  timeout_seconds: number;
  retry_count: number;
  /** Retries used before this attempt ended. */
  retries: number;
  lost: number;
  agent_id: string | null;
  /** Whether somebody is at work who could do it and has not tried: a pause that its agent asked for does not matter then. */
  others?: boolean;
}

export interface Decision {
  status: Extract<TaskStatus, 'completed' | 'failed' | 'cancelled' | 'retrying'>;
  attempt_status: 'completed' | 'failed' | 'lost' | 'timed_out' | 'cancelled';
  error: FailureRecord | null;
  /** Until the next attempt may begin. */
  backoff_ms: number;
  retries: number;
  lost: number;
  /** Whether the agent is passed over by the next attempt, when there is another. */
  exclude: boolean;
}

const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 60_000;

/** 1 s, doubled each time, at most a minute. */
export function backoff(times: number): number {
  return Math.min(FIRST_BACKOFF_MS * 2 ** times, LONGEST_BACKOFF_MS);
}

/**
 * The first goes on at once; agents that cannot be reached time and again are not called without a pause. What the last
 * one asked for is kept to, up to the longest pause, when there is nobody else.
 */
function pauseAfterLoss({ lost, others }: Standing, asked: number): number {
  const pause = lost > 0 ? backoff(lost - 1) : 0;
  return others ? pause : Math.max(pause, Math.min(asked, LONGEST_BACKOFF_MS));
}

export function decide(task: Standing, ending: Ending): Decision {
  const { retries, lost } = task;
  const over = { backoff_ms: 0, retries, lost, exclude: false };
  switch (ending.kind) {
    case 'completed':
      return { ...over, status: 'completed', attempt_status: 'completed', error: null };
    case 'cancelled':
      return { ...over, status: 'cancelled', attempt_status: 'cancelled', error: null };
    case 'lost': {
      const error = { code: 'agent_lost', detail: ending.detail };
      const again = lost < MAX_LOST;
      return {
        ...over,
        status: again ? 'retrying' : 'failed',
        attempt_status: 'lost',
        error,
        backoff_ms: again ? pauseAfterLoss(task, ending.pause_ms ?? 0) : 0,
        lost: lost + 1,
        exclude: task.agent_id !== null,
      };
    }
    case 'timeout':
    case 'failed': {
      const timedOut = ending.kind === 'timeout';
      const error = timedOut
        ? { code: 'timeout', detail: `The attempt took longer than ${task.timeout_seconds} seconds` }
        : ending.error;
      const again = retries < task.retry_count && (timedOut || ending.retryable);
      return {
        ...over,
        status: again ? 'retrying' : 'failed',
        attempt_status: timedOut ? 'timed_out' : 'failed',
        error,
        backoff_ms: again ? backoff(retries) : 0,
        retries: again ? retries + 1 : retries,
        exclude: task.agent_id !== null,
      };
    }
  }
}
