/** Where a caller stands in all of its limits. */
import type { Deps } from '../../deps.ts';
import { type Limits, RATE_CLASSES, RATE_WINDOW_SECONDS } from '../../schema/limits.ts';
import { configuredLimits } from '../../stores/limits.ts';
import { quotaDay, readQuota } from '../../stores/quotas.ts';

/** Counts nothing. Without the shared store it tells what this process knows. */
export async function readOwnLimits(
  deps: Pick<Deps, 'limits' | 'db' | 'config'>,
  caller: string,
  at: Date,
): Promise<Limits> {
  const limits = configuredLimits(deps.config);
  const states = await deps.limits.look(caller);
  const tasks = deps.config.TASKS_PER_DAY;
  const used = await readQuota(deps.db, { principal_id: caller, kind: 'tasks', at });
  return {
    rate_limits: RATE_CLASSES.map((kind) => {
      const state = states.find((one) => one.class === kind);
      return {
        class: kind,
        limit: limits[kind] || null,
        window_seconds: RATE_WINDOW_SECONDS,
        used: state ? state.limit - state.remaining : 0,
        remaining: state?.remaining ?? null,
        reset_seconds: state?.resetSeconds ?? 0,
      };
    }),
    quotas: [
      {
        kind: 'tasks',
        limit: tasks || null,
        used,
        remaining: tasks ? Math.max(0, tasks - used) : null,
        resets_at: quotaDay(at).endsAt.toISOString(),
      },
    ],
  };
}
