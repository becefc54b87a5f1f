/** Which queue runs what, and how much of it at once in one process. */
import { randomUUID } from 'node:crypto';
import type { Config } from '../schema/config.ts';
import { parseQueue, QUEUES, SOURCES } from '../schema/names.ts';

export interface ActivityQueue {
  taskQueue: string;
  maxConcurrentActivityTaskExecutions: number;
}

/** A task queue on which only this process listens. */
export function newOwnQueue(): string {
  return `${QUEUES.agents}-${randomUUID()}`;
}

export function activityQueues(
  config: Pick<Config, 'STAGE_CONCURRENCY' | 'MAX_CONCURRENT_TASKS'>,
  ownQueue: string,
): ActivityQueue[] {
  return [
    { taskQueue: QUEUES.files, maxConcurrentActivityTaskExecutions: 20 },
    // Each takes a thread and a heap of its own; one source never waits for another.
    ...SOURCES.map((source) => ({ taskQueue: parseQueue(source), maxConcurrentActivityTaskExecutions: 2 })),
    { taskQueue: QUEUES.vectors, maxConcurrentActivityTaskExecutions: 4 },
    { taskQueue: QUEUES.stages, maxConcurrentActivityTaskExecutions: config.STAGE_CONCURRENCY },
    // Each waits for an agent that answers when it is done: as many as may run at once, in one process.
    { taskQueue: QUEUES.agents, maxConcurrentActivityTaskExecutions: 200 },
    // The calls are under way already: one that found no place here would be made a second time.
    { taskQueue: ownQueue, maxConcurrentActivityTaskExecutions: Math.max(200, config.MAX_CONCURRENT_TASKS) },
    { taskQueue: QUEUES.pipelines, maxConcurrentActivityTaskExecutions: 50 },
    // Each is a question that the engine has not answered yet; for up to an hour, so that no other step stands behind it.
    { taskQueue: QUEUES.waits, maxConcurrentActivityTaskExecutions: 500 },
    // Somebody else's servers, mostly waited for.
    { taskQueue: QUEUES.notifications, maxConcurrentActivityTaskExecutions: 50 },
    { taskQueue: QUEUES.maintenance, maxConcurrentActivityTaskExecutions: 3 },
  ];
}
