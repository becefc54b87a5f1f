/** What goes into and comes out of `runTask`, its activities and messages. JSON-safe; payloads and results stay in rows. */
import type { FailureRecord } from './tables.ts';

export type RunTaskInput = {
  task_id: string;
  owner: string;
  /** The attempt it begins with: 1, or more after a retry by hand. */
  attempt: number;
  timeout_seconds: number;
  /** Whether somebody to do it was found at submission; else it waits for the signal `assigned`. */
  assigned: boolean;
  /** Begins its attempts in steps without a round trip over a queue. Absent in what was started before there were such. */
  in_place?: boolean;
  /** Events after which it continues as new; HISTORY_LIMIT when absent. */
  history_limit?: number;
  /** What an earlier run of the same workflow knew when it continued as new. */
  carried?: CarriedTask;
};

/** The rows know the rest: who does it, until when, and which report was accepted. */
export type CarriedTask = {
  attempt: number;
  /** `turn`: waits for its turn. `begin`: is about to begin. `work`: somebody is at it. */
  stage: 'turn' | 'begin' | 'work';
};

/** One attempt of a task, as every step and message names it. */
export type TaskStep = { task_id: string; attempt: number; workflow_id: string };

/** What an agent says of an attempt; the result itself lies in `task_results` under its completion id. */
export type TaskReport = {
  attempt: number;
  agent_id: string;
  outcome: 'completed' | 'failed';
  completion_id: string;
};

/** `working`: whoever has it has begun already. */
export type TaskAssigned = { attempt: number; working?: boolean };

/** `accepted: false`: late or repeated, and ignored. */
export type TaskReportAnswer = { accepted: boolean; status: string };

/** What follows when an attempt is over; decided once, in the transaction that ends it. */
export type NextStep =
  | { status: 'completed' | 'failed' | 'cancelled'; attempt: number; error: FailureRecord | null }
  | { status: 'retrying'; attempt: number; backoff_ms: number };

/** Where an attempt stands: nobody yet, the built-in executor, an agent that works on by itself, or over. */
export type TaskTurn =
  | { kind: 'waiting' }
  | { kind: 'builtin' }
  /** The agent was called and has not answered at once; the process that listens on `queue` holds the call. */
  | { kind: 'calling'; queue: string }
  /** `look_in_ms`: when the lease or the time of the attempt runs out, whichever is first. */
  | { kind: 'working'; look_in_ms: number }
  /** The lease ran out: the agent has said nothing for too long. */
  | { kind: 'quiet' }
  | { kind: 'over'; next: NextStep };

/** Why an attempt is over when it did not end by itself. A report that was accepted before goes first. */
export type EndCause = 'reported' | 'timeout' | 'lost' | 'cancelled' | 'broken';

/** `error` goes with `broken`: a step that cannot be done, whoever tries. */
export type FinishInput = TaskStep & { cause: EndCause; error?: FailureRecord };

/** How a task ended; what a parent workflow gets. */
export type TaskOutcome = {
  task_id: string;
  status: 'completed' | 'failed' | 'cancelled';
  attempts: number;
  error: FailureRecord | null;
};
