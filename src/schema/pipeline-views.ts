/** Wire shapes of pipelines, their runs, artifacts and approvals. */
import { z } from 'zod';
import { FailureView } from './files.ts';
import { PIPELINE_RUN_STATUSES, STAGE_STATUSES, STAGE_TYPES } from './names.ts';
import { Notification, PipelineDefinition } from './pipelines.ts';
import { RUN_STATUSES } from './workflows.ts';

const time = z.iso.datetime();

export const PipelineSummary = z.object({
  pipeline_id: z.string(),
  name: z.string(),
  description: z.string(),
  version: z.int(),
  owner: z.string(),
  created_at: time,
  updated_at: time,
});

export const PipelineLinks = z.object({ self: z.string(), execute: z.string(), runs: z.string() });

export const PipelineView = PipelineSummary.extend({
  ...PipelineDefinition.pick({ stages: true, dependencies: true }).shape,
  links: PipelineLinks,
});

export const PipelineCreated = z.object({
  pipeline_id: z.string(),
  name: z.string(),
  version: z.int(),
  links: PipelineLinks,
});

export const PipelineChecked = z.object({
  valid: z.boolean(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })),
});

export const RunLinks = z.object({
  self: z.string(),
  pipeline: z.string(),
  artifacts: z.string(),
  events: z.string(),
  workflow: z.string(),
  /** The run in Temporal's Web UI. */
  ui: z.string(),
});

export const RunSummary = z.object({
  run_id: z.string(),
  pipeline_id: z.string(),
  version: z.int(),
  workflow_id: z.string(),
  owner: z.string(),
  status: z.enum(PIPELINE_RUN_STATUSES),
  attempt: z.int().describe('grows with each retry'),
  progress: z.number().min(0).max(1),
  current_stage: z.int(),
  completed_stages: z.array(z.int()),
  error: FailureView.nullable(),
  created_at: time,
  started_at: time.nullable(),
  completed_at: time.nullable(),
});

const StageTimes = {
  status: z.enum(STAGE_STATUSES),
  attempt: z.int(),
  progress: z.number().min(0).max(1),
  reason: z.string().nullable(),
  error: FailureView.nullable(),
  task_id: z.string().nullable(),
  started_at: time.nullable(),
  ended_at: time.nullable(),
  seconds: z.number().nullable(),
};

/** One try of a stage or an item: of how many is bounded, the newest are shown. */
export const TryView = z.object({
  attempt: z.int().describe('counts anew with each attempt of the run'),
  run_attempt: z.int(),
  status: z.enum(['running', 'completed', 'failed', 'cancelled']),
  started_at: time,
  completed_at: time.nullable(),
  error: FailureView.nullable(),
  put_off: z.int().describe("how often the caller's rate limit put it off"),
});

export const RunStageView = z.object({
  stage: z.int(),
  name: z.string(),
  type: z.enum(STAGE_TYPES),
  ...StageTimes,
  /** The last 20 tries, oldest first, those of earlier attempts of the run too; empty for a stage with items. */
  attempts: z.array(TryView),
  /** Rows and bytes of the table it made; null without one. */
  dataset: z.object({ rows: z.int(), bytes: z.int(), sha256: z.string(), columns: z.int() }).nullable(),
  artifacts: z.array(z.string()),
  summary: z.record(z.string(), z.json()).nullable(),
  /** How its items stand by status, and the first hundred that failed, with their last 5 tries; null without `for_each`. */
  items: z
    .object({
      total: z.int(),
      by_status: z.record(z.string(), z.int()),
      failed: z.array(
        z.object({
          item: z.int(),
          attempt: z.int(),
          error: FailureView.nullable(),
          attempts: z.array(TryView),
        }),
      ),
    })
    .nullable(),
});

export const ApprovalView = z.object({
  approval_id: z.string(),
  run_id: z.string(),
  stage: z.int(),
  message: z.string(),
  status: z.enum(['pending', 'approved', 'rejected', 'expired', 'cancelled']),
  requested_at: time,
  deadline: time,
  decided_by: z.string().nullable(),
  decided_at: time.nullable(),
  comment: z.string().nullable(),
});

/** An attempt of a run before the one that its summary tells of, with the workflow that made it. */
export const EarlierAttempt = z.object({
  attempt: z.int(),
  workflow_id: z.string(),
  /** Null where nothing is known of it any more. */
  status: z.enum(RUN_STATUSES).nullable(),
  error: FailureView.nullable(),
  started_at: time.nullable(),
  completed_at: time.nullable(),
  links: RunLinks.pick({ workflow: true, ui: true }),
});

export const RunView = RunSummary.extend({
  input_data: z.record(z.string(), z.json()).nullable(),
  parameters: z.record(z.string(), z.json()),
  notification: Notification.nullable(),
  stages: z.array(RunStageView),
  /** Of a run that was retried: the last 20, oldest first. */
  earlier_attempts: z.array(EarlierAttempt),
  /** Approvals that wait for a decision. */
  approvals: z.array(ApprovalView),
  links: RunLinks,
});
export type RunView = z.output<typeof RunView>;

export const RunStarted = z.object({
  run_id: z.string(),
  workflow_id: z.string(),
  status: z.enum(PIPELINE_RUN_STATUSES),
  links: RunLinks,
  /** The run as it is when it is over; absent in the answer that only starts it. */
  run: RunView.optional(),
});

export const ArtifactView = z.object({
  name: z.string().describe('by which it is downloaded: <stage>/<file>, or <stage>/<item>/<file>'),
  stage: z.string(),
  media_type: z.string(),
  bytes: z.int(),
  rows: z.int().nullable(),
  sha256: z.string(),
  links: z.object({ download: z.string() }),
});
