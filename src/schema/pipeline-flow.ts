/** What goes into and comes out of `runPipeline`, its activities and messages. JSON-safe; data and definitions stay in rows. */
import type { StageStatus } from './names.ts';
import type { FailureRecord } from './tables.ts';
import type { RunTaskInput } from './task-flow.ts';

export type RunPipelineInput = {
  run_id: string;
  pipeline_id: string;
  owner: string;
  /** Grows with each retry by hand. */
  attempt: number;
  /** Events after which it continues as new; HISTORY_LIMIT when absent. */
  history_limit?: number;
  /** Whether an earlier run of the same workflow was paused when it continued as new. */
  paused?: boolean;
};

export type RunPipelineResult = { run_id: string; status: 'completed' };

/** Which run an activity works for. */
export type RunRef = { run_id: string; workflow_id: string; attempt: number };

/** `item` -1: the stage itself. `attempt` counts the attempts of this stage or item. */
export type StageRef = RunRef & { stage: number; item: number; try: number };

export type OnFailure = 'fail' | 'skip' | 'continue' | 'compensate';

/** What the workflow must know of a stage: its place in the graph and how it is to be tried. */
export type StagePlan = {
  name: string;
  /** Stages that must be over before it starts. */
  needs: number[];
  on_failure: OnFailure;
  /** Index of its compensating stage. */
  compensate: number | null;
  /** Whether a compensated failure still fails the run. */
  required: boolean;
  /** True: runs only when another stage that names it failed. */
  compensates: boolean;
  timeout_seconds: number;
  max_attempts: number;
  backoff_seconds: number;
  concurrency: number;
  approval: boolean;
};

export type StageState = { status: StageStatus; attempt: number; error: FailureRecord | null };

export type OpenedRun = { plan: StagePlan[]; states: StageState[] };

/** How a stage is done: by our own hands, as an agent's task, as tasks over batches of rows, or as an operation. */
export type StageWay = 'builtin' | 'task' | 'batches' | 'operation';

export type PlannedStage =
  | { action: 'skip'; reason: string }
  | { action: 'fail'; error: FailureRecord }
  | {
      action: 'run';
      way: StageWay;
      /** Number of items; null without `for_each`. */
      items: number | null;
      /** Items that are over already, from an earlier run of the workflow. */
      over: number[];
    };

export type OpenedApproval = {
  approval_id: string;
  /** Milliseconds since the epoch. */
  deadline: number;
  on_timeout: 'reject' | 'approve';
  status: 'pending' | 'approved' | 'rejected' | 'expired' | 'cancelled';
};

export type Decision = {
  approval_id: string;
  decision: 'approve' | 'reject';
  by: string;
  comment: string | null;
};

/** `accepted: false`: it was decided before, or nobody waits for it any more. */
export type DecisionAnswer = { accepted: boolean; status: string };

/** A task that does a stage, an item or a batch. */
export type OpenedTask = { workflow_id: string; input: RunTaskInput; owner: string; resource: string };

/** Batches are objects under names that follow from their numbers. */
export type SplitStage = { batches: number; workers: number };

/** `merge`: all went well, and their tables are to be put together. */
export type FinishedItems = { next: 'completed' } | { next: 'merge' } | { next: 'failed'; error: FailureRecord };

export type SettleInput = StageRef & {
  status: StageStatus;
  reason: string | null;
  error: FailureRecord | null;
};

export type CloseRunInput = RunRef & {
  status: 'completed' | 'failed' | 'cancelled';
  error: FailureRecord | null;
};

export type DeliverInput = { notification_id: string; owner: string };

/** What one try to deliver led to; `wait_seconds` until the next one. */
export type DeliveryTry = { done: true } | { done: false; final: boolean; wait_seconds: number; error: string };
