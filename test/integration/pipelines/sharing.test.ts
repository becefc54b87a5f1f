/** What keeps one caller's runs from taking all there is: rate limits bind their operations, and turns go round callers. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of pipelines
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { describeRun } from '../../../src/services/engine.ts';
import { readOwnLimits } from '../../../src/services/limits/own-limits.ts';
import { workflowIdOf } from '../../../src/services/pipelines/workflow-id.ts';
import { caller, op, openStand, pipeline, type Stand } from './stand.ts';

const LIMIT = 3;
const does: Record<string, () => unknown> = {};
const calls: string[] = [];
const ana = caller('developer', { id: 'ana' });
let stand: Stand;

beforeAll(async () => {
  stand = await openStand({
    // One place for all: whoever waits holds up everybody.
    slots: 1,
    env: { RATE_LIMIT_SEARCH: String(LIMIT) },
    operate: (real) => async (call) => {
      const name = call.input['does'];
      if (typeof name !== 'string') return real(call);
      calls.push(name);
      return (await does[name]?.()) ?? { name };
    },
  });
}, 120_000);
afterAll(async () => {
  await stand?.close();
});
beforeEach(() => {
  calls.length = 0;
  for (const name of Object.keys(does)) delete does[name];
});

const act = (name: string, more: object = {}) => op(name, { does: name }, more);
const search = (more: object = {}) => op('search', { query: 'anything ${item}' }, { operation: 'query.run', ...more });
const each = (count: number) => ({ items: Array.from({ length: count }, (_, n) => n), concurrency: count });

async function searchesOf(id: string): Promise<number | undefined> {
  const { rate_limits } = await readOwnLimits(stand.deps, id, new Date());
  return rate_limits.find((limit) => limit.class === 'search')?.used;
}

/** As if this caller had used up its searches, in a window that ends soon. */
async function useUp(id: string, seconds: number): Promise<void> {
  await stand.deps.db
    .insertInto('rate_limits')
    .values({ key: `search:${id}`, points: LIMIT, expire: String(Date.now() + seconds * 1000) })
    .execute();
}

test("operations of runs count against their caller's rate limit, and wait for it without failing or holding a place", async () => {
  await useUp('ana', 4);
  const runId = await stand.execute(ana, pipeline([search({ input: { query: 'one' } }), act('after')]));
  const waiting = await stand.until(runId, (run) => run.stages[0].attempts[0]?.put_off > 0);
  expect(waiting.stages[0]).toMatchObject({ status: 'running', reason: expect.stringContaining('3 search requests') });
  // The only place is free.
  expect(await stand.over(await stand.execute(ana, pipeline([act('beside')])))).toMatchObject({ status: 'completed' });
  expect((await stand.call(ana, 'runs.get', { run_id: runId })).stages[0].status).toBe('running');
  const run = await stand.over(runId);
  expect(run.stages[0]).toMatchObject({ status: 'completed', attempt: 1, reason: null });
  expect(run.stages[0].attempts).toMatchObject([{ attempt: 1, status: 'completed', error: null }]);
  expect(calls).toEqual(['beside', 'after']);
  expect(await searchesOf('ana')).toBe(1);
});

test('of many operations at once no more run than the limit allows, and the rest can be cancelled', async () => {
  const bob = caller('developer', { id: 'bob' });
  const runId = await stand.execute(bob, pipeline([search({ for_each: each(8) })]));
  const tries = () =>
    stand.deps.db.selectFrom('pipeline_tries').select(['status', 'put_off']).where('run_id', '=', runId).execute();
  await vi.waitUntil(
    async () => {
      const rows = await tries();
      return rows.length === 8 && rows.every(({ status, put_off }) => status === 'completed' || put_off > 0);
    },
    { timeout: 20_000 },
  );
  const ended = (await tries()).filter(({ status }) => status === 'completed');
  expect(ended).toHaveLength(LIMIT);
  expect(await searchesOf('bob')).toBeGreaterThanOrEqual(LIMIT);
  // The caller's own hand is bound by the same limit, other callers are not.
  await expect(stand.call(bob, 'query.run', { query: 'mine' })).rejects.toMatchObject({ code: 'too_many_requests' });
  await stand.call(caller('developer', { id: 'cleo' }), 'query.run', { query: 'hers' });
  await stand.call(bob, 'runs.cancel', { run_id: runId });
  const run = await stand.over(runId);
  expect(run.status).toBe('cancelled');
  expect(run.stages[0].items.by_status).toEqual({ completed: LIMIT, cancelled: 8 - LIMIT });
});

test("a caller's long list does not hold up another caller: they take turns", async () => {
  const go = Promise.withResolvers<void>();
  does['many'] = () => go.promise;
  const waits = (runId: string, count: number) =>
    vi.waitUntil(
      async () => (await describeRun(stand.deps, workflowIdOf(runId, 1)))?.pending_activities.length === count,
      { timeout: 20_000, interval: 100 },
    );
  const many = await stand.execute(ana, pipeline([act('many', { for_each: each(30) })]));
  await waits(many, 30);
  const dora = caller('developer', { id: 'dora' });
  const few = await stand.execute(dora, pipeline([act('few', { for_each: each(3) })]));
  await waits(few, 3);
  go.resolve();
  await stand.over(few);
  await stand.over(many);
  expect(calls.filter((name) => name === 'many')).toHaveLength(30);
  // In the order of their coming all of the 30 would go first.
  expect(calls.lastIndexOf('few')).toBeLessThan(12);
});
