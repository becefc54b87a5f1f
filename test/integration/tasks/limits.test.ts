/** The cap over two workers under load, quotas, and work that goes on across continue-as-new. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStand, pushAgent, type Stand } from './stand.ts';

let stand: Stand;
const CAP = 8;

beforeAll(async () => {
  stand = await openStand({ MAX_CONCURRENT_TASKS: String(CAP), TASKS_PER_DAY: '300', DATABASE_POOL: '8' });
  await stand.moreWorkers();
});
afterAll(() => stand?.close());

test('120 tasks on two workers: every one completes once, and never more than MAX_CONCURRENT_TASKS at once', async () => {
  await sql`CREATE TABLE most_slots (n int)`.execute(stand.deps.db);
  await sql`CREATE FUNCTION note_slots() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO most_slots SELECT count(*) FROM tasks WHERE slot; RETURN NULL; END $$`.execute(stand.deps.db);
  await sql`CREATE TRIGGER note_slots AFTER UPDATE ON tasks EXECUTE FUNCTION note_slots()`.execute(stand.deps.db);
  let now = 0;
  let most = 0;
  const remote = await pushAgent(async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, 5));
    now -= 1;
    return { status: 200, body: {} };
  });
  await stand.agent({ name: 'busy', capabilities: ['processing'], endpoints: remote.endpoints, max_concurrency: 100 });
  const callers = await Promise.all([stand.caller(), stand.caller(), stand.caller()]);
  const ids = (
    await Promise.all(
      callers.map((who, n) => Promise.all(Array.from({ length: n === 0 ? 60 : 30 }, () => stand.submit(who, {})))),
    )
  ).flat();
  const left = async () => {
    const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM tasks WHERE status <> 'completed'`.execute(
      stand.deps.db,
    );
    return rows[0]?.n;
  };
  await expect.poll(left, { timeout: 55_000, interval: 100 }).toBe(0);
  await remote.close();
  expect(remote.tasks.map((task) => task.task_id).sort()).toEqual([...ids].sort());
  const seen = await sql<{ n: number }>`SELECT max(n) AS n FROM most_slots`.execute(stand.deps.db);
  await sql`DROP TRIGGER note_slots ON tasks`.execute(stand.deps.db);
  expect(seen.rows[0]?.n).toBe(CAP);
  expect(most).toBeLessThanOrEqual(CAP);
  const { rows } = await sql<{ task: string; n: number }>`SELECT resource AS task, count(*)::int AS n FROM event_log
    WHERE name = 'task.updated' AND data ->> 'status' = 'completed' GROUP BY resource`.execute(stand.deps.db);
  expect(rows.length).toBe(ids.length);
  expect(rows.every(({ n }) => n === 1)).toBe(true);
}, 90_000);

test('a caller has so many tasks a day, and is told when there are more', async () => {
  const caller = await stand.caller();
  await sql`INSERT INTO quotas (principal_id, kind, day, used)
    VALUES (${caller.id}, 'tasks', (now() AT TIME ZONE 'utc')::date, 299)`.execute(stand.deps.db);
  const task = { type: 'processing', executor: 'agent', capabilities: ['nobody-has-it'] };
  expect((await caller.call('POST', '/api/v1/tasks', task)).status).toBe(202);
  expect(await caller.call('POST', '/api/v1/tasks', task)).toMatchObject({
    status: 429,
    body: { code: 'quota_exceeded' },
  });
  const { body } = await caller.call('GET', '/api/v1/tasks');
  expect(body.items).toHaveLength(1);
});
