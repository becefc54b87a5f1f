/** Which queue runs what, and how much of it at once in one process. */
import { parseQueue, QUEUES, SOURCES } from '../schema/names.ts';

export interface ActivityQueue {
  taskQueue: string;
  maxConcurrentActivityTaskExecutions: number;
}

export function activityQueues(): ActivityQueue[] {
  return [
    { taskQueue: QUEUES.files, maxConcurrentActivityTaskExecutions: 20 },
    // Each takes a thread and a heap of its own; one source never waits for another.
    ...SOURCES.map((source) => ({ taskQueue: parseQueue(source), maxConcurrentActivityTaskExecutions: 2 })),
    { taskQueue: QUEUES.vectors, maxConcurrentActivityTaskExecutions: 4 },
    { taskQueue: QUEUES.maintenance, maxConcurrentActivityTaskExecutions: 3 },
  ];
}
