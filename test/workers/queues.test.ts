/** How much of each queue is done at once in one process. */
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/schema/config.ts';
import { QUEUES } from '../../src/schema/names.ts';
import { activityQueues, newOwnQueue } from '../../src/workers/queues.ts';

const queues = activityQueues(loadConfig({ env: {}, cwd: tmpdir() }), newOwnQueue());
const most = (name: string) =>
  queues.find(({ taskQueue }) => taskQueue === name)?.maxConcurrentActivityTaskExecutions ?? 0;

test('every queue of activities is listened to', () => {
  const { workflows: _, ...activities } = QUEUES;
  expect(queues.map(({ taskQueue }) => taskQueue)).toEqual(expect.arrayContaining(Object.values(activities)));
});

test('what only waits has a queue of its own, far longer than those that work', () => {
  expect(most(QUEUES.waits)).toBeGreaterThanOrEqual(10 * most(QUEUES.pipelines));
});
