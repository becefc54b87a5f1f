/** Agents that answered 202 and then fell silent: they are asked, a few times, and what they say counts. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Caller, openStand, type PushAgent, pushAgent, runAnew, type Stand, untilLeased } from './stand.ts';

let stand: Stand;
let caller: Caller;
const agents: PushAgent[] = [];

beforeAll(async () => {
  stand = await openStand();
  caller = await stand.caller();
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await stand?.close();
});

const leaseOf = async (id: string) =>
  (
    await stand.deps.db.selectFrom('tasks').select('lease_until').where('task_id', '=', id).executeTakeFirstOrThrow()
  ).lease_until?.getTime() ?? 0;

type Said = ReturnType<NonNullable<Parameters<typeof pushAgent>[1]>>;

/** A task that an agent works on by itself, which falls silent then, and tells how it goes as `answers` say, the last one from then on. */
async function quietTask(name: string, answers: Said[]) {
  const asked: number[] = [];
  const remote = await pushAgent(
    () => ({ status: 202 }),
    () => {
      asked.push(Date.now());
      return answers[Math.min(asked.length, answers.length) - 1] ?? { status: 404 };
    },
  );
  agents.push(remote);
  const agent = await stand.agent({ name, capabilities: [name], endpoints: remote.endpoints });
  const task_id = await stand.submit(caller, { executor: 'agent', capabilities: [name], retry_count: 0 });
  await untilLeased(stand, task_id);
  await stand.deps.db
    .updateTable('tasks')
    .set({ lease_until: new Date(0) })
    .where('task_id', '=', task_id)
    .execute();
  // The workflow looks after it now, as it does when the lease runs out: as if it had just continued as new.
  await runAnew(stand, { task_id, owner: caller.id, carried: { attempt: 1, stage: 'work' } });
  return { task_id, agent, remote, asked };
}

test.concurrent('one that says nothing once keeps its attempt, and the progress it tells then is shown', async () => {
  const running = { status: 200, body: { status: 'working', progress: 0.4 } };
  const { task_id, agent, remote, asked } = await quietTask('stumbles', [{ status: 503 }, running]);
  const detail = await stand.until(caller, task_id, ({ progress }) => progress > 0);
  expect(detail).toMatchObject({ status: 'running', attempt: 1, progress: 0.4, lost: 0 });
  expect((await caller.call('GET', `/api/v1/tasks/${task_id}`)).body.progress).toBe(0.4);
  expect(await leaseOf(task_id)).toBeGreaterThan(Date.now() + 30_000);
  expect(asked).toHaveLength(2);
  const word = await agent.call('POST', `/api/v1/tasks/${task_id}/complete`, { attempt: 1, result: { n: 1 } });
  expect(word.body).toMatchObject({ accepted: true, status: 'completed' });
  expect(remote.tasks).toHaveLength(1);
});

test.concurrent('one that says nothing three times, seconds apart, has lost its attempt', async () => {
  const { task_id, remote, asked } = await quietTask('gone', [{ status: 503 }]);
  const detail = await stand.until(caller, task_id, ({ lost }) => lost > 0);
  expect(detail.attempts[0]).toMatchObject({
    status: 'lost',
    error: { code: 'agent_lost', detail: expect.stringMatching(/^Asked 3 times how it goes: .* answered 503$/) },
  });
  expect(asked).toHaveLength(3);
  const [first = 0, second = 0, third = 0] = asked;
  expect(second - first).toBeGreaterThanOrEqual(2_900);
  expect(third - second).toBeGreaterThanOrEqual(2_900);
  // There is no other: it gets the task again, under another attempt.
  await stand.until(caller, task_id, ({ status, attempt }) => status === 'running' && attempt === 2);
  expect(remote.tasks.map(({ attempt }) => attempt)).toEqual([1, 2]);
});

test.concurrent('one that has finished meanwhile has its result taken', async () => {
  const { task_id, remote } = await quietTask('done', [
    { status: 200, body: { state: 'done', result: { asked: true } } },
  ]);
  expect(await stand.untilStatus(caller, task_id, 'completed')).toMatchObject({ result: { asked: true }, attempt: 1 });
  expect(remote.tasks).toHaveLength(1);
});

test.concurrent('one that says that it failed has failed', async () => {
  const { task_id } = await quietTask('broken', [{ status: 200, body: { status: 'error', error: 'no paper' } }]);
  const detail = await stand.untilStatus(caller, task_id, 'failed', 'completed');
  expect(detail).toMatchObject({ status: 'failed', error: { code: 'agent_failed', detail: 'no paper' } });
});

test.concurrent('one that knows nothing of the attempt has lost it at once', async () => {
  const { task_id, asked } = await quietTask('forgetful', [{ status: 404 }]);
  const detail = await stand.until(caller, task_id, ({ lost }) => lost > 0);
  expect(detail.attempts[0]).toMatchObject({ status: 'lost' });
  expect(asked).toHaveLength(1);
});
