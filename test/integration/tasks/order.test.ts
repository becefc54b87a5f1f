/** Whose turn it is on a real database: priority, waiting and owners, and that the place shown says the same. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Deps } from '../../../src/deps.ts';
import type { Priority } from '../../../src/schema/names.ts';
import { admitTask, type NewTask } from '../../../src/services/tasks/submit.ts';
import { listTasks } from '../../../src/stores/task-lists.ts';
import { AGEING_SECONDS, placeInQueue, placesOf } from '../../../src/stores/task-order.ts';
import { admit } from '../../../src/stores/task-queue.ts';
import { openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
let deps: Deps;
const CAP = 4;

beforeAll(async () => {
  stand = await openStand({}, { MAX_CONCURRENT_TASKS: String(CAP) });
  deps = stand.deps;
});
afterAll(() => stand?.close());
beforeEach(async () => {
  await sql`DELETE FROM tasks`.execute(deps.db);
});

const submit = async (owner: string, priority: Priority = 'medium', over: Partial<NewTask> = {}) => {
  const task = { owner, priority, type: 'processing' as const, payload: {}, executor: 'builtin' as const, ...over };
  return deps.db.transaction().execute((trx) => admitTask(trx, deps, task));
};

/** Lets the task have waited so long. */
const waited = (taskId: string, seconds: number) =>
  sql`UPDATE tasks SET queued_at = now() - make_interval(secs => ${seconds}) WHERE task_id = ${taskId}`.execute(
    deps.db,
  );

/** The order in which slots are given when so many more come free. */
const given = async (more: number) => {
  const assigned = await deps.db.transaction().execute((trx) => admit(trx, CAP + more));
  return assigned.map(({ task_id }) => task_id);
};

async function fill(owner: string): Promise<void> {
  for (let n = 0; n < CAP; n++) expect((await submit(owner)).queue_position).toBeNull();
}

test('the places of two callers are those in which they get their slots', async () => {
  await fill('ana');
  const ana = [await submit('ana'), await submit('ana')];
  const bo = [await submit('bo'), await submit('bo')];
  const high = await submit('ana', 'high');
  // Where each stood when it came: nobody else of the same priority has fewer slots than bo.
  expect([...ana, ...bo, high].map(({ queue_position }) => queue_position)).toEqual([1, 2, 1, 2, 1]);
  const order = [high, ...bo, ...ana].map(({ task_id }) => task_id);
  const places = await Promise.all(order.map((id) => placeInQueue(deps.db, id)));
  expect(places).toEqual([1, 2, 3, 4, 5].map((place) => ({ place, of: 5 })));
  const listed = await listTasks(deps.db, { owners: ['bo'], granted: [], limit: 10 });
  expect(listed.items.map(({ task_id, place }) => [task_id, place])).toEqual([
    [bo[1]?.task_id, 3],
    [bo[0]?.task_id, 2],
  ]);
  expect(await given(5)).toEqual(order);
  expect(await placeInQueue(deps.db, high.task_id)).toBeNull();
});

test('whatever waits, by whomever, for however long: the place is the place', async () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let n = 0; n < 120; n++) {
    const [slot, owner, priority, ago] = [n < CAP, `o${random(5) % 4}`, random(3), random(1_000)];
    await sql`INSERT INTO tasks (task_id, owner, type, priority, timeout_seconds, retry_count, executor, workflow_id,
        queued_at, slot, phase)
      VALUES (${`r${n}`}, ${owner}, 'processing', ${priority}, 60, 0, 'builtin', ${`r${n}`},
        now() - make_interval(secs => ${ago}), ${slot}, ${slot ? 'assigned' : 'queued'})`.execute(deps.db);
  }
  const ids = Array.from({ length: 120 - CAP }, (_, n) => `r${n + CAP}`);
  const places = await placesOf(deps.db, ids);
  for (const id of ids) expect((await placeInQueue(deps.db, id))?.place, id).toBe(places.get(id));
  const byPlace = [...ids].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
  expect(await given(120)).toEqual(byPlace);
});

test('who has waited long enough is not kept waiting by a stream of higher priority', async () => {
  await fill('ana');
  const [medium, low, fresh] = [await submit('bo'), await submit('bo', 'low'), await submit('cy')];
  const stream: string[] = [];
  for (let n = 0; n < 3; n++) stream.push((await submit('ana', 'high')).task_id);
  const order = async () => {
    const ids = [medium.task_id, low.task_id, fresh.task_id, ...stream];
    const places = await placesOf(deps.db, ids);
    return ids.sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
  };
  await waited(medium.task_id, AGEING_SECONDS - 60);
  expect(await order()).toEqual([...stream, medium.task_id, fresh.task_id, low.task_id]);
  // As good as high now, and of a caller who has nothing yet.
  await waited(medium.task_id, AGEING_SECONDS + 1);
  expect(await order()).toEqual([medium.task_id, ...stream, fresh.task_id, low.task_id]);
  // From low to medium first, and longer there than the other.
  await waited(low.task_id, AGEING_SECONDS + 1);
  expect((await order()).slice(4)).toEqual([fresh.task_id, low.task_id]);
  await waited(low.task_id, 2 * AGEING_SECONDS + 1);
  expect(await order()).toEqual([low.task_id, medium.task_id, ...stream, fresh.task_id]);
  expect(await given(2)).toEqual([low.task_id, medium.task_id]);
});

test('a caller with its own stream of high tasks gets its older ones done too, and nobody is above high', async () => {
  await fill('ana');
  const old = await submit('ana', 'low');
  const high = await submit('ana', 'high');
  const other = await submit('bo', 'high');
  await waited(old.task_id, 100 * AGEING_SECONDS);
  expect(await given(3)).toEqual([other, old, high].map(({ task_id }) => task_id));
});
