/** The last word on an attempt counts once, also while the workflow that takes it continues as new on a real engine. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataConverter } from '../../../src/clients/temporal.ts';
import { type Caller, openStand, type PushAgent, pushAgent, runAnew, type Stand, untilLeased } from './stand.ts';

let stand: Stand;
let caller: Caller;
let remote: PushAgent;
const TASKS = 6;
const WORDS = 4;
/** Reached after two looks or so. */
const HISTORY_LIMIT = 12;
/** Each look that finds this much left of the lease looks again then. */
const LEASE_MS = 150;

beforeAll(async () => {
  stand = await openStand();
  caller = await stand.caller();
  remote = await pushAgent(() => ({ status: 202 }));
});
afterAll(async () => {
  await remote?.close();
  await stand?.close();
});

const newestRun = async (id: string) => (await stand.deps.temporal.workflow.getHandle(id).describe()).runId;

/** What the newest run of the task's workflow was begun with. */
async function inputOf(id: string): Promise<any> {
  const { events } = await stand.deps.temporal.workflow.getHandle(id).fetchHistory();
  const given = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  if (!given) throw new Error(`${id} was begun with nothing`);
  const { payloadCodecs } = dataConverter(stand.deps.config);
  const [opened] = (await payloadCodecs?.[0]?.decode([given])) ?? [given];
  return JSON.parse(Buffer.from((opened ?? given).data ?? []).toString());
}

test('of four last words at once one is accepted, however often its workflow has continued as new', async () => {
  const agent = await stand.agent({
    name: 'once',
    capabilities: ['once'],
    endpoints: { task: remote.endpoints.task },
    max_concurrency: TASKS,
  });
  const ids = await Promise.all(
    Array.from({ length: TASKS }, () => stand.submit(caller, { executor: 'agent', capabilities: ['once'] })),
  );
  await Promise.all(ids.map((id) => untilLeased(stand, id)));
  // The leases of all are about to run out all the time, and never do: each workflow looks after its task again and again.
  const shorten = () =>
    sql`UPDATE tasks SET lease_until = now() + make_interval(secs => ${LEASE_MS / 1000})
      WHERE task_id = ANY(${ids}::text[]) AND slot`.execute(stand.deps.db);
  await shorten();
  let renewing: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    renewing = shorten();
  }, 20);
  try {
    const owner = caller.id;
    const begun = await Promise.all(
      ids.map((task_id) => runAnew(stand, { task_id, owner, history_limit: HISTORY_LIMIT })),
    );
    await Promise.all(
      ids.map(async (id, n) => {
        let continued = begun[n];
        while (continued === begun[n]) continued = await newestRun(id);
        expect(await inputOf(id)).toMatchObject({ carried: { attempt: 1, stage: 'work' } });
        // Each at another moment of the next round.
        await new Promise((resolve) => setTimeout(resolve, n * 40));
        const words = await Promise.all(
          Array.from({ length: WORDS }, (_, word) =>
            agent.call('POST', `/api/v1/tasks/${id}/complete`, { attempt: 1, result: { word } }),
          ),
        );
        expect(words.map(({ status }) => status)).toEqual(words.map(() => 200));
        expect(words.filter(({ body }) => body.accepted)).toHaveLength(1);
        const accepted = words.findIndex(({ body }) => body.accepted);
        const detail = await stand.untilStatus(caller, id, 'completed');
        expect(detail).toMatchObject({ attempt: 1, result: { word: accepted }, attempts: [{ status: 'completed' }] });
        const late = await agent.call('POST', `/api/v1/tasks/${id}/complete`, { attempt: 1, result: { word: WORDS } });
        expect(late.body).toEqual({ task_id: id, accepted: false, status: 'completed' });
        expect(await stand.deps.temporal.workflow.getHandle(id).result()).toMatchObject({ status: 'completed' });
      }),
    );
  } finally {
    clearInterval(timer);
    await renewing;
  }
  const kept = await stand.deps.db.selectFrom('task_results').select('task_id').execute();
  expect(kept.map(({ task_id }) => task_id).sort()).toEqual([...ids].sort());
  // Nobody was called a second time.
  expect(remote.tasks).toHaveLength(TASKS);
});
