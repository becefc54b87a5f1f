/** The reconciler over many open workflows: the youngest is looked at too, and one that cannot be mended stops nothing. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Reconciled, reconcileRuns } from '../../../src/activities/maintenance/reconcile.ts';
import type { Deps } from '../../../src/deps.ts';
import { claimEngine } from '../../../src/services/engine.ts';
import { openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await openStand();
});
afterAll(() => stand.close());

test('looks at every open workflow, whatever becomes of the others', async () => {
  await claimEngine(stand.deps);
  await sql`INSERT INTO workflow_runs (workflow_id, type, room, owner, input, created_at)
    SELECT 'waits-' || n, 'runTask', 'tasks', 'ana', '{}', now() - interval '2 hours' + n * interval '1 second'
    FROM generate_series(1, 1100) n`.execute(stand.deps.db);
  const started: string[] = [];
  const client = stand.deps.temporal;
  const temporal = {
    workflowService: client.workflowService,
    withDeadline: client.withDeadline.bind(client),
    workflow: {
      getHandle: (id: string) => ({
        describe: async () => {
          if (id === 'waits-1') throw new TypeError('an answer that nobody can read');
          if (id === 'waits-1100') throw new WorkflowNotFoundError('none', id, undefined);
          return { status: { name: 'RUNNING' } };
        },
      }),
      start: async (_type: string, { workflowId }: { workflowId: string }) => void started.push(workflowId),
    },
  } as unknown as Deps['temporal'];
  const round = () => new MockActivityEnvironment().run(() => reconcileRuns({ ...stand.deps, temporal }));
  expect((await round()) as Reconciled).toEqual({ started: 1, closed: 0, looked_at: 1100 });
  expect(started).toEqual(['waits-1100']);
});
