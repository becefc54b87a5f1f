/** Looks after the agents: one activity that makes rounds until the schedule's next run takes over. */
import { proxyActivities } from '@temporalio/workflow';
import type { Watched } from '../activities/agents/watch.ts';
import type { Activities } from '../activities/index.ts';
import { QUEUES } from '../schema/names.ts';

const steps = proxyActivities<Pick<Activities, 'watchAgents'>>({
  taskQueue: QUEUES.maintenance,
  // The activity ends by itself within a minute; a worker that dies is noticed in 10 s, and another goes on at once.
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '3 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '5 seconds' },
});

export async function watchAgents(): Promise<Watched> {
  return steps.watchAgents();
}
