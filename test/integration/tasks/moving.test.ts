/** An agent whose heartbeats stop is offline for the watch on a real engine, and its tasks move to another. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { QUEUES, WORKFLOWS } from '../../../src/schema/names.ts';
import { type Caller, openStand, type PushAgent, pushAgent, type Stand, untilLeased } from './stand.ts';

let stand: Stand;
let caller: Caller;
let remote: PushAgent;

beforeAll(async () => {
  // Rounds follow one another quickly; who lives has sent its heartbeats ahead.
  stand = await openStand({ AGENT_HEARTBEAT_SECONDS: '1' });
  caller = await stand.caller();
  remote = await pushAgent(() => ({ status: 202 }));
});
afterAll(async () => {
  await stand?.deps.temporal.workflow
    .getHandle('watch')
    .terminate()
    .catch(() => {});
  await remote?.close();
  await stand?.close();
});

/** The last heartbeat of the agent came so long ago, or, below zero, comes in so long. */
const heard = (agentId: string, secondsAgo: number) =>
  sql`UPDATE agents SET beats = true, last_heartbeat = now() - make_interval(secs => ${secondsAgo})
    WHERE agent_id = ${agentId}`.execute(stand.deps.db);

test('the tasks of an agent that falls silent move to another, and its late words count no more', async () => {
  const { deps } = stand;
  const capabilities = ['moving'];
  const dying = await stand.agent({
    name: 'dying',
    capabilities,
    max_concurrency: 2,
    endpoints: { task: remote.endpoints.task },
  });
  const living = await stand.agent({ name: 'living', capabilities, max_concurrency: 2 });
  for (const { id } of [dying, living]) await heard(id, -3_600);
  const ids = [];
  for (let n = 0; n < 2; n++) ids.push(await stand.submit(caller, { executor: 'agent', capabilities, retry_count: 0 }));
  for (const id of ids) await untilLeased(stand, id);
  await deps.temporal.workflow.start(WORKFLOWS.watchAgents, { workflowId: 'watch', taskQueue: QUEUES.workflows });
  await heard(dying.id, 3_600);
  const moved = await living.claim({ wait_seconds: 20, max: 2 });
  if (moved.length === 1) moved.push(...(await living.claim({ wait_seconds: 20 })));
  expect(moved.map(({ task_id, attempt }) => [task_id, attempt]).sort()).toEqual(ids.map((id) => [id, 2]).sort());
  expect((await caller.call('GET', `/api/v1/agents/${dying.id}`)).body.status).toBe('offline');
  for (const id of ids) {
    const late = await dying.call('POST', `/api/v1/tasks/${id}/complete`, { attempt: 1, result: { by: 'dying' } });
    expect(late.body).toMatchObject({ accepted: false });
    await living.call('POST', `/api/v1/tasks/${id}/complete`, { attempt: 2, result: { by: 'living' } });
    expect(await stand.untilStatus(caller, id, 'completed')).toMatchObject({
      result: { by: 'living' },
      lost: 1,
      attempts: [
        { agent_id: dying.id, status: 'lost', error: { code: 'agent_lost' } },
        { agent_id: living.id, status: 'completed' },
      ],
    });
  }
  expect(remote.tasks).toHaveLength(2);
});
