/** Attempts begin inside the workflow task; a call that takes longer goes on where it began, and is made once. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { QUEUES } from '../../../src/schema/names.ts';
import { type Caller, openStand, type PushAgent, pushAgent, type Stand } from './stand.ts';

/** More than a step waits that does not wait. */
const SLOW_MS = 600;

let stand: Stand;
let caller: Caller;
const agents: PushAgent[] = [];

beforeAll(async () => {
  stand = await openStand();
  caller = await stand.caller('admin');
});
afterEach(async () => {
  await stand.deps.db.updateTable('agents').set({ deleted_at: new Date() }).execute();
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});
afterAll(() => stand?.close());

async function push(name: string, ...handlers: Parameters<typeof pushAgent>): Promise<PushAgent> {
  const agent = await pushAgent(...handlers);
  agents.push(agent);
  await stand.agent({ name, capabilities: [name], endpoints: agent.endpoints });
  return agent;
}

const submit = (capability: string, more: object = {}) =>
  stand.submit(caller, { type: 'processing', payload: {}, capabilities: [capability], executor: 'agent', ...more });

/** The task queues of the activities that the engine was asked for, of a workflow that is over. */
async function queues(taskId: string): Promise<string[]> {
  const handle = stand.deps.temporal.workflow.getHandle(taskId);
  await handle.result().catch(() => {});
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap((event) => {
    const scheduled = event.activityTaskScheduledEventAttributes;
    return scheduled ? [scheduled.taskQueue?.name ?? ''] : [];
  });
}

const later = () => new Promise((resolve) => setTimeout(resolve, SLOW_MS));

test('an agent that answers at once takes no activity of the engine', async () => {
  const agent = await push('quick', () => ({ status: 200, body: { done: true } }));
  const taskId = await submit('quick');
  expect(await stand.untilStatus(caller, taskId, 'completed')).toMatchObject({ result: { done: true } });
  expect(await queues(taskId)).toEqual([]);
  expect(agent.tasks).toHaveLength(1);
});

test('one that thinks is called once, and waited for in the process that called', async () => {
  const agent = await push('slow', async () => {
    await later();
    return { status: 200, body: { done: true } };
  });
  const taskId = await submit('slow');
  expect(await stand.untilStatus(caller, taskId, 'completed')).toMatchObject({ result: { done: true }, attempt: 1 });
  expect(await queues(taskId)).toEqual([expect.stringMatching(new RegExp(`^${QUEUES.agents}-[0-9a-f-]{36}$`))]);
  expect(agent.tasks).toHaveLength(1);
});

test('one that thinks and then says 202 works on by itself', async () => {
  const agent = await push('thinks', async () => {
    await later();
    return { status: 202 };
  });
  const taskId = await submit('thinks');
  await stand.untilStatus(caller, taskId, 'running');
  await expect
    .poll(
      async () =>
        (await stand.deps.db.selectFrom('tasks').select('lease_until').where('task_id', '=', taskId).executeTakeFirst())
          ?.lease_until,
    )
    .not.toBeNull();
  expect(agent.tasks).toHaveLength(1);
  await caller.call('POST', `/api/v1/tasks/${taskId}/cancel`);
  await stand.untilStatus(caller, taskId, 'cancelled');
});

test('one that thinks and then refuses fails the attempt, and is tried as often as it may be', async () => {
  const agent = await push('refuses', async () => {
    await later();
    return { status: 422, body: { detail: 'not this one' } };
  });
  const taskId = await submit('refuses', { retry_count: 1 });
  const detail = await stand.untilStatus(caller, taskId, 'failed');
  expect(detail.attempts).toHaveLength(2);
  expect(agent.tasks).toHaveLength(2);
});

test('cancelled while it thinks, the call is broken off at once', async () => {
  let hungUp = false;
  const agent = await push('hangs', (_task, request) => {
    request.socket.once('close', () => {
      hungUp = true;
    });
    return new Promise(() => {});
  });
  const taskId = await submit('hangs');
  await stand.untilStatus(caller, taskId, 'running');
  await caller.call('POST', `/api/v1/tasks/${taskId}/cancel`);
  await stand.untilStatus(caller, taskId, 'cancelled');
  await expect.poll(() => hungUp).toBe(true);
  expect(agent.tasks).toHaveLength(1);
});
