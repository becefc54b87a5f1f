/** Reads the code and the words for people out of what an activity failed with. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';

export function failureOf(error: unknown): { code: string; detail: string } {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) return { code: cause.type ?? 'internal', detail: cause.message };
  if (cause instanceof TimeoutFailure) return { code: 'timeout', detail: 'A step took too long' };
  return { code: 'internal', detail: cause instanceof Error ? cause.message : String(cause) };
}
