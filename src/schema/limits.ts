/** What a caller may do in a minute and in a day, and how much of it is used. */
import { z } from 'zod';

/** Each kind of call has a limit of its own: `RATE_LIMIT_<CLASS>` a minute. */
export const RATE_CLASSES = ['read', 'write', 'search', 'agent'] as const;
export type RateClass = (typeof RATE_CLASSES)[number];

/** Length of the window that rate limits count in. */
export const RATE_WINDOW_SECONDS = 60;

const limit = z.int().nullable().describe('null: no limit');

export const LimitsOutput = z.object({
  rate_limits: z.array(
    z.object({
      class: z.enum(RATE_CLASSES),
      limit,
      window_seconds: z.int(),
      used: z.int().describe('requests of this window; what other processes hold ready for the caller counts as used'),
      remaining: z.int().nullable(),
      reset_seconds: z.int().describe('seconds until the window ends; 0 when none has begun'),
    }),
  ),
  quotas: z.array(
    z.object({
      kind: z.enum(['tasks']),
      limit,
      used: z.int().describe('of this UTC day; 0 where there is no limit'),
      remaining: z.int().nullable(),
      resets_at: z.iso.datetime(),
    }),
  ),
});
export type Limits = z.output<typeof LimitsOutput>;
