/** Wire contracts of workflows: what runs, ran, and how it stands. */
import { z } from 'zod';
import { FailureView } from './files.ts';
import { SOURCES } from './names.ts';

export const RUN_STATUSES = [
  'pending',
  'running',
  'completed',
  'failed',
  'cancelled',
  'terminated',
  'timed_out',
] as const;

export const WorkflowView = z.object({
  workflow_id: z.string(),
  type: z.string(),
  room: z.string(),
  status: z.enum(RUN_STATUSES),
  owner: z.string(),
  source: z.enum(SOURCES).nullable(),
  /** `file:<id>`: what it works on. */
  resource: z.string().nullable(),
  error: FailureView.nullable(),
  created_at: z.iso.datetime(),
  started_at: z.iso.datetime().nullable(),
  closed_at: z.iso.datetime().nullable(),
});
export type WorkflowView = z.output<typeof WorkflowView>;

export const WorkflowDetail = WorkflowView.extend({
  /** What the engine itself says; null when it has forgotten the workflow or is away. */
  engine: z
    .object({
      status: z.string(),
      history_length: z.int(),
      started_at: z.string(),
      closed_at: z.string().nullable(),
      pending_activities: z.array(
        z.object({ type: z.string(), attempt: z.int(), last_failure: z.string().nullable() }),
      ),
    })
    .nullable(),
  links: z.object({ ui: z.string() }),
});
