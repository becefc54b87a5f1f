/** What goes into and comes out of `runTask`, its activities and messages. JSON-safe; payloads and results stay in rows. */
import type { FailureRecord } from './tables.ts';

export type RunTaskInput = {
  task_id: string;
  owner: string;
  /** Events after which it continues as new; HISTORY_LIMIT when absent. */
  history_limit?: number;
  /** What an earlier run of the same workflow knew when it continued as new. */
  carried?: CarriedTask;
};

export type CarriedTask = {
  attempt: number;
  /** Milliseconds since the epoch at which the current attempt times out; null while it waits for its turn. */
  deadline: number | null;
  /** The report that was accepted for the current attempt; update ids are remembered per run only. */
  accepted: TaskReport | null;
};

/** What an agent says of an attempt; the result itself lies in `task_results` under its completion id. */
export type TaskReport = {
  attempt: number;
  agent_id: string;
  outcome: 'completed' | 'failed';
  completion_id: string;
  error: FailureRecord | null;
};

/** `accepted: false`: late or repeated, and ignored. */
export type TaskReportAnswer = { accepted: boolean; status: string };

/** How a task ended; what a parent workflow gets. */
export type TaskOutcome = {
  task_id: string;
  status: 'completed' | 'failed' | 'cancelled';
  attempts: number;
  error: FailureRecord | null;
};
