/** Temporal's schedules for everything periodic; made once, kept as an operator changed them. */
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { Deps } from '../deps.ts';
import { QUEUES, WORKFLOWS } from '../schema/names.ts';
import { WATCH_SCHEDULE } from '../services/agents/watch-schedule.ts';

/** Also triggered when the embedder becomes ready. */
export const CATCH_UP_SCHEDULE = 'ostinato-vectors';

const SCHEDULES = [
  { id: 'ostinato-reconcile', type: WORKFLOWS.reconcile, every: '1 minute' },
  { id: 'ostinato-sweep', type: WORKFLOWS.sweepStorage, every: '1 hour' },
  { id: CATCH_UP_SCHEDULE, type: WORKFLOWS.catchUpVectors, every: '5 minutes' },
  { id: WATCH_SCHEDULE, type: WORKFLOWS.watchAgents, every: '1 minute' },
] as const;

export async function ensureSchedules(deps: Deps): Promise<void> {
  for (const { id, type, every } of SCHEDULES) {
    try {
      await deps.temporal.schedule.create({
        scheduleId: id,
        spec: { intervals: [{ every }] },
        policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
        action: { type: 'startWorkflow', workflowType: type, taskQueue: QUEUES.workflows, workflowId: id },
      });
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    }
  }
}
