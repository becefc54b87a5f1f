/** The bare workflow that tasks are measured against: one activity on a queue of its own. */
import { proxyActivities } from '@temporalio/workflow';

const { bareActivity } = proxyActivities<{ bareActivity(id: string): Promise<void> }>({
  taskQueue: 'bench-activities',
  startToCloseTimeout: '1 minute',
});

export async function bareTask(id: string): Promise<void> {
  await bareActivity(id);
}
