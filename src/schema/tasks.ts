/** Wire contracts of tasks (seed 001), and the limits of what they carry. */
import { z } from 'zod';
import { FailureView } from './files.ts';
import { isStorable } from './json.ts';
import { EXECUTORS, LOG_LEVELS, PRIORITIES, TASK_STATUSES, TASK_TYPES } from './names.ts';

/** Bytes of a payload or a result as JSON. */
export const MAX_TASK_JSON = 256 * 1024;
/** Characters of one log line; what is longer is cut. */
export const MAX_LOG_LINE = 10_240;
/** Lines kept of one task: the newest. */
export const MAX_LOG_LINES = 1_000;
/** Lines that the view of a task shows: the newest. */
export const SHOWN_LOG_LINES = 200;
/** Attempts that may end because an agent went away before the task fails. */
export const MAX_LOST = 20;

/** A JSON object that Postgres can store; its size is checked where it is taken. */
export const StorableObject = z
  .record(z.string(), z.json())
  .refine(isStorable, { message: 'must hold neither NUL characters nor lone surrogates' });

const storableText = (max: number) =>
  z.string().max(max).refine(isStorable, { message: 'must hold neither NUL characters nor lone surrogates' });

export const TaskId = z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, 'must be the id of a task');
export const Capability = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/, 'must be letters, digits and . _ : -, at most 100');

export const SubmitTask = z.object({
  pipeline_id: storableText(200).min(1).nullish().describe('labels the task; runs nothing else of the pipeline'),
  stage: z.int().min(0).max(10_000).nullish().describe('counts from 0; a label, like pipeline_id'),
  type: z.enum(TASK_TYPES),
  payload: StorableObject.default({}).describe('what to do, at most 256 KiB as JSON'),
  priority: z.enum(PRIORITIES).default('medium'),
  timeout: z.int().min(1).optional().describe('seconds of one attempt; TASK_TIMEOUT at most, and when absent'),
  retry_count: z.int().min(0).max(20).default(3),
  executor: z.enum(EXECUTORS).default('auto').describe('auto: an agent when one fits, else built in'),
  capabilities: z.array(Capability).max(20).default([]).describe('what an agent must have; its type when empty'),
  agent_id: z
    .uuid()
    .optional()
    .describe('this agent and no other: yours, a shared one, or one granted to you for writing; an admin may name any'),
});
export type SubmitTask = z.output<typeof SubmitTask>;

export const TaskLinks = z.object({ self: z.string(), detail: z.string(), events: z.string(), workflow: z.string() });

export function taskLinks(task: { task_id: string; workflow_id: string }): z.output<typeof TaskLinks> {
  return {
    self: `/api/v1/tasks/${task.task_id}`,
    detail: `/api/v1/tasks/${task.task_id}/detail`,
    events: `/api/v1/events?task_id=${task.task_id}`,
    workflow: `/api/v1/workflows/${encodeURIComponent(task.workflow_id)}`,
  };
}

export const TaskLogView = z.object({ timestamp: z.iso.datetime(), level: z.enum(LOG_LEVELS), message: z.string() });

/** Exactly the fields of seed 001. */
export const TaskView = z.object({
  task_id: z.string(),
  pipeline_id: z.string().nullable(),
  stage: z.int().nullable(),
  status: z.enum(TASK_STATUSES),
  /** 0 to 1. */
  progress: z.number().min(0).max(1),
  assigned_agent: z.string().nullable(),
  started_at: z.iso.datetime().nullable(),
  updated_at: z.iso.datetime(),
  logs: z.array(TaskLogView),
  error: FailureView.nullable(),
});
export type TaskView = z.output<typeof TaskView>;

export const TaskListItem = TaskView.omit({ logs: true }).extend({
  type: z.enum(TASK_TYPES),
  priority: z.enum(PRIORITIES),
  owner: z.string(),
  created_at: z.iso.datetime(),
  queue_position: z.int().nullable(),
});
export type TaskListItem = z.output<typeof TaskListItem>;

export const AttemptView = z.object({
  attempt: z.int(),
  executor: z.string(),
  agent_id: z.string().nullable(),
  status: z.enum(['running', 'completed', 'failed', 'lost', 'timed_out', 'cancelled']),
  error: FailureView.nullable(),
  started_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
});

export const TaskDetail = TaskListItem.extend({
  run_id: z.string().nullable(),
  workflow_id: z.string(),
  executor: z.enum(EXECUTORS),
  capabilities: z.array(z.string()),
  /** The one agent that was named for it. */
  agent_id: z.string().nullable(),
  payload: z.record(z.string(), z.json()),
  timeout: z.int(),
  retry_count: z.int(),
  /** Number of the current attempt, and how many were lost with their agents. */
  attempt: z.int(),
  lost: z.int(),
  attempts: z.array(AttemptView),
  /** Tasks that wait, this one included; null when it does not wait. */
  queue_length: z.int().nullable(),
  /** Null unless none of its agents is at work and the built-in executor cannot do it; then `reason` says why. */
  waits_for_agent: z
    .object({
      since: z.iso.datetime(),
      until: z.iso.datetime().describe('fails then, with code no_agent'),
      reason: z.string(),
    })
    .nullable(),
  result: z.record(z.string(), z.json()).nullable(),
  queued_at: z.iso.datetime(),
  assigned_at: z.iso.datetime().nullable(),
  completed_at: z.iso.datetime().nullable(),
  logs: z.array(TaskLogView),
  links: TaskLinks.extend({ ui: z.string() }),
});
export type TaskDetail = z.output<typeof TaskDetail>;

export const TaskAccepted = z.object({
  task_id: z.string(),
  status: z.enum(TASK_STATUSES),
  workflow_id: z.string(),
  /** 1 is next; null when it does not wait. */
  queue_position: z.int().nullable(),
  links: TaskLinks,
  /** The task as it is when it is over; absent in the answer that only accepts it. */
  task: TaskDetail.optional(),
});

const attempt = z.int().min(1).max(1_000_000).describe('the attempt it was given with the task');

export const ProgressReport = z.object({
  attempt,
  progress: z.number().min(0).max(1),
  message: storableText(MAX_LOG_LINE).optional().describe('goes to the logs'),
});

export const CompleteReport = z.object({
  attempt,
  result: StorableObject.default({}).describe('at most 256 KiB as JSON; larger things belong into the object store'),
});

export const FailReport = z.object({
  attempt,
  error: z.object({
    code: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, 'must be a word')
      .default('execution_error'),
    message: storableText(4_096).default('The agent gave no reason'),
  }),
  retryable: z.boolean().default(true).describe('false: no other attempt is made'),
});

export const LogsReport = z.object({
  attempt,
  logs: z
    .array(
      z.object({
        level: z.enum(LOG_LEVELS).default('info'),
        message: storableText(1024 * 1024),
        timestamp: z.iso.datetime({ offset: true }).optional(),
      }),
    )
    .min(1)
    .max(200),
});

export const ReportAnswer = z.object({
  task_id: z.string(),
  /** False: too late, or a repeat; it changed nothing. */
  accepted: z.boolean(),
  status: z.enum(TASK_STATUSES),
});

export const ClaimRequest = z.object({
  max: z.coerce.number().int().min(1).max(50).default(1),
  wait_seconds: z.coerce.number().min(0).max(50).default(0).describe('answers empty-handed after this long'),
  claim_id: z
    .string()
    .regex(/^[\x21-\x7e]{1,100}$/)
    .optional()
    .describe('repeated, leads to the same tasks: for a claim whose answer got lost'),
});
export type ClaimRequest = z.output<typeof ClaimRequest>;

export const ClaimedTask = z.object({
  task_id: z.string(),
  attempt: z.int(),
  type: z.enum(TASK_TYPES),
  payload: z.record(z.string(), z.json()),
  timeout_seconds: z.int(),
  deadline: z.iso.datetime(),
  /** Silence after which it goes to somebody else: progress and logs renew it. */
  lease_seconds: z.int(),
  priority: z.enum(PRIORITIES),
  pipeline_id: z.string().nullable(),
  stage: z.int().nullable(),
});
export type ClaimedTask = z.output<typeof ClaimedTask>;
