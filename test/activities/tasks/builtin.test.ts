/** What a task becomes as a request to the built-in stages. */
import { expect, test } from 'vitest';
import { requestOf } from '../../../src/activities/tasks/builtin.ts';
import { keyParts } from '../../../src/stores/objects/keys.ts';
import type { Turn } from '../../../src/stores/task-turns.ts';

const turn = { task_id: 'task-1', workflow_id: 'task-1', attempt: 1, type: 'output', owner: 'alice', payload: {} };

test('every round of attempts writes below a key of its own that the object store takes', () => {
  const first = requestOf(turn as Turn, 1_000).prefix;
  const retried = requestOf({ ...turn, workflow_id: 'task-1~2', attempt: 5 } as Turn, 1_000).prefix;
  expect(keyParts(`${retried}data.parquet`)).toEqual(['runs', 'task-1', '5', 'data.parquet']);
  expect(first).toBe('runs/task-1/1/');
});
