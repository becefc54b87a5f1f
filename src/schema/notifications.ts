/** Wire shapes of notifications: what was to be told to whom, and whether it arrived. */
import { z } from 'zod';

export const NOTIFICATION_STATUSES = ['pending', 'delivered', 'undelivered', 'cancelled'] as const;

/** What a notification can tell: how a run ended, or that one waits for a decision. */
export const NOTIFICATION_EVENTS = [
  'pipeline.completed',
  'pipeline.failed',
  'pipeline.cancelled',
  'approval.requested',
] as const;
export type NotificationEvent = (typeof NOTIFICATION_EVENTS)[number];

export const NotificationView = z.object({
  notification_id: z.string(),
  kind: z.enum(['webhook', 'email']),
  target: z.string(),
  event: z.string(),
  run_id: z.string().nullable(),
  status: z.enum(NOTIFICATION_STATUSES),
  attempts: z.int(),
  last_error: z.string().nullable(),
  created_at: z.iso.datetime(),
  delivered_at: z.iso.datetime().nullable(),
  next_attempt_at: z.iso.datetime().nullable(),
});
