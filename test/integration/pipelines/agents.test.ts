/** Stages that agents do: as one task, and as tasks over batches of rows. The agents pull. */
import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { messageOf } from '../../../src/api/websocket/frames.ts';
import { MESSAGES, QUEUES, WORKFLOWS } from '../../../src/schema/names.ts';
import type { Principal } from '../../../src/schema/principal.ts';
import { toEventFilter } from '../../../src/services/events/view.ts';
import { BEGINNING } from '../../../src/stores/event-position.ts';
import { type LoggedEvent, readEvents } from '../../../src/stores/events.ts';
import { uuidV5 } from '../../../src/stores/ids.ts';
import { caller, openStand, pipeline, type Stand } from './stand.ts';

const ana = caller('developer', { id: 'ana' });
let stand: Stand;
const stop = new AbortController();
const working: Promise<void>[] = [];
const seen: any[] = [];

/** An agent that claims what there is and answers with `answer`, until the tests are over. */
async function agent(
  capability: string,
  answer: (task: any, self: Principal) => Promise<object | null> | object | null,
): Promise<Principal> {
  const { agent_id } = await stand.call(ana, 'agents.register', {
    name: `${capability}-${randomUUID()}`,
    capabilities: [capability],
    max_concurrency: 4,
  });
  const self = caller('agent', { id: agent_id });
  const work = async () => {
    while (!stop.signal.aborted) {
      const { tasks } = await stand.call(self, 'agents.claim', { agent_id, max: 4, wait_seconds: 0.2 });
      for (const task of tasks) {
        seen.push(task);
        const result = await answer(task, self);
        const report = { task_id: task.task_id, attempt: task.attempt };
        if (result) await stand.call(self, 'tasks.complete', { ...report, result });
        else await stand.call(self, 'tasks.fail', { ...report, error: { message: 'no such thing' } });
      }
    }
  };
  working.push(work());
  return self;
}

beforeAll(async () => {
  stand = await openStand();
  await agent('rate', ({ payload }) => {
    if (payload.batch) return { rows: payload.batch.rows.map(({ n }: any) => ({ n, square: n * n })) };
    return payload.config.fail ? null : { rated: payload.inputs.length, of: payload.config.of ?? null };
  });
}, 120_000);
/** The bytes that a task works on, as this caller gets them. */
async function inputOf(who: Principal, task_id: string, name?: string) {
  const { body, ...head } = await stand.call(who, 'tasks.input', { task_id, ...(name === undefined ? {} : { name }) });
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part);
  const bytes = Buffer.concat(parts);
  expect(bytes.length).toBe(head.bytes);
  return { ...head, bytes };
}
const hidden = (who: Principal, task_id: string) =>
  expect(stand.call(who, 'tasks.input', { task_id })).rejects.toMatchObject({ code: 'not_found' });

afterAll(async () => {
  stop.abort();
  await Promise.allSettled(working);
  await stand?.close();
});

const load = { name: 'load', type: 'data-ingestion', config: { rows: Array.from({ length: 25 }, (_, n) => ({ n })) } };

test('tasks of pipelines count against the quota of who runs them, and a used-up one fails the stage at once', async () => {
  const bob = caller('developer', { id: 'bob' });
  await stand.deps.db
    .insertInto('quotas')
    .values({ principal_id: 'bob', kind: 'tasks', day: new Date().toISOString().slice(0, 10), used: 100_000 })
    .execute();
  const rate = { name: 'rate', type: 'analysis', executor: 'agent', capabilities: ['rate'] };
  const run = await stand.over(await stand.execute(bob, pipeline([load, rate])));
  expect(run.status).toBe('failed');
  expect(run.stages[1].error.code).toBe('quota_exceeded');
});

test('a stage for an agent is a task of the run, and its answer is the stage’s output', async () => {
  const rate = { name: 'rate', type: 'analysis', executor: 'agent', capabilities: ['rate'], config: { of: 'x' } };
  const run = await stand.over(
    await stand.execute(
      ana,
      pipeline([load, rate, { name: 'after', type: 'analysis', when: 'stages.rate.output.rated == 1' }]),
    ),
  );
  expect(run.error).toBeNull();
  expect(run.stages[1]).toMatchObject({ status: 'completed', attempt: 1, summary: { rated: 1, of: 'x' } });
  expect(run.stages[2].status).toBe('completed');
  const task = await stand.call(ana, 'tasks.get', { task_id: run.stages[1].task_id });
  expect(task).toMatchObject({ status: 'completed', pipeline_id: run.pipeline_id, stage: 1 });
});

test('auto goes to an agent that fits, and is done here when none does', async () => {
  const auto = (capability: string) => ({ name: capability, type: 'analysis', capabilities: [capability], config: {} });
  const run = await stand.over(await stand.execute(ana, pipeline([load, auto('rate'), auto('nobody')])));
  expect(run.error).toBeNull();
  expect(run.stages[1].task_id).not.toBeNull();
  expect(run.stages[2].task_id).toBeNull();
});

test('what an agent fails with fails the stage, after its own tries', async () => {
  const rate = { name: 'rate', type: 'analysis', executor: 'agent', capabilities: ['rate'], config: { fail: true } };
  const retry = { max_attempts: 2, backoff_seconds: 0 };
  const run = await stand.over(await stand.execute(ana, pipeline([{ ...rate, retry }])));
  expect(run.error).toMatchObject({ detail: expect.stringContaining('no such thing') });
  expect(run.stages[0]).toMatchObject({ status: 'failed', attempt: 2 });
  // Whoever may see the run hears of its tasks, and why they failed.
  const events = async (resource: string, filters = {}) => {
    const wanted = [toEventFilter(filters)];
    const view = { owners: ['a-reader'], resources: [resource], wanted };
    return (await readEvents(stand.deps.db, { ...view, after: BEGINNING, limit: 1_000 })).events;
  };
  for (const resource of [`run:${run.run_id}`, `pipeline:${run.pipeline_id}`]) {
    const errors = await events(resource, { run_id: run.run_id, types: ['error'] });
    expect(errors).toHaveLength(2);
    expect(errors[1]?.data).toMatchObject({
      task_id: run.stages[0].task_id,
      details: { message: expect.stringContaining('no such thing') },
    });
    expect(Object.keys(messageOf(errors[1] as LoggedEvent)).toSorted()).toEqual(
      ['type', 'seq', 'task_id', 'error', 'details', 'timestamp'].toSorted(),
    );
    const updates = await events(resource, { pipeline_id: run.pipeline_id, types: ['task_update'] });
    expect(updates.map(({ data }) => data.status)).toEqual([
      'pending',
      'running',
      'failed',
      'pending',
      'running',
      'failed',
    ]);
  }
  expect(await events('run:another')).toEqual([]);
});

test('rows go to agents in batches and come back as one table', async () => {
  seen.length = 0;
  const rate = {
    name: 'rate',
    type: 'processing',
    config: { batch_size: 10, parallel_workers: 2, agent: { capabilities: ['rate'] } },
  };
  const check = {
    name: 'check',
    type: 'transformation',
    config: { sql: 'SELECT sum(square) AS total, first(n) AS n FROM input HAVING total = 4900 AND first(n) = 0' },
  };
  const run = await stand.over(await stand.execute(ana, pipeline([load, rate, check])));
  expect(run.error).toBeNull();
  expect(run.stages[1]).toMatchObject({
    status: 'completed',
    dataset: { rows: 25, columns: 2 },
    summary: { batches: 3 },
  });
  expect(run.stages[2].dataset.rows).toBe(1);
  expect(seen.map(({ payload }) => payload.batch.rows.length).toSorted()).toEqual([10, 10, 5]);
});

test('rows that a payload does not hold are fetched by the agent that has the task, and by nobody else but its owner', async () => {
  const cleo = caller('developer', { id: 'cleo' });
  let key = '';
  const idle = caller('agent', {
    id: (await stand.call(ana, 'agents.register', { name: `idle-${randomUUID()}`, capabilities: ['idle'] })).agent_id,
  });
  const tasks: string[] = [];
  const fetching = await agent('fetch', async ({ task_id, payload }, self) => {
    tasks.push(task_id);
    const name = payload.batch ? undefined : 'load';
    const { bytes, filename, media_type, sha256 } = await inputOf(self, task_id, name);
    expect((await inputOf(ana, task_id)).bytes.equals(bytes)).toBe(true);
    for (const other of [idle, cleo]) await hidden(other, task_id);
    if (!payload.batch) {
      key = payload.inputs[0].dataset.key;
      expect(sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
      await expect(inputOf(self, task_id, 'nothing')).rejects.toMatchObject({ code: 'not_found' });
    }
    return {
      rows: [{ rows: payload.batch?.rows ?? null, filename, media_type, head: bytes.subarray(0, 4).toString() }],
    };
  });
  const of = (name: string, format: string) => ({
    name,
    type: 'processing',
    config: { batch_size: 20, agent: { capabilities: ['fetch'], format } },
  });
  const whole = { name: 'whole', type: 'analysis', executor: 'agent', capabilities: ['fetch'] };
  const check = {
    name: 'check',
    type: 'transformation',
    config: {
      sql: `SELECT string_agg(filename || ' ' || media_type || ' ' || head, ', ' ORDER BY filename) AS all FROM fetched`,
    },
  };
  const stages = [load, { ...of('fetched', 'parquet') }, whole, check];
  const run = await stand.over(
    await stand.execute(
      ana,
      pipeline(stages, [
        [0, 1],
        [0, 2],
        [1, 3],
      ]),
    ),
  );
  expect(run.error).toBeNull();
  expect(run.stages[1].summary).toMatchObject({ batches: 2 });
  expect(run.stages[2].summary).toMatchObject({ rows: [{ filename: 'load.parquet', head: 'PAR1' }] });
  expect(tasks).toHaveLength(3);
  // What is over is no longer the agent's; its owner may still look.
  for (const task_id of tasks) await hidden(fetching, task_id);
  for (const task_id of tasks) await inputOf(ana, task_id);

  // A payload of one's own opens nothing, whatever it names.
  expect(await stand.deps.objects.stat(key)).not.toBeNull();
  const forged = { key, format: 'parquet' };
  for (const payload of [{ batch: forged }, { inputs: [{ name: 'x', dataset: forged }] }]) {
    const { task_id } = await stand.call(cleo, 'tasks.submit', { type: 'processing', executor: 'agent', payload });
    await hidden(cleo, task_id);
    await stand.call(cleo, 'tasks.cancel', { task_id });
  }
});

test('cancelled, a run takes its task with it', async () => {
  const nobody = { name: 'nobody', type: 'analysis', executor: 'agent', capabilities: ['nobody'] };
  const runId = await stand.execute(ana, pipeline([nobody]));
  const { stages } = await stand.until(runId, (run) => run.stages[0].task_id !== null);
  await stand.call(ana, 'runs.cancel', { run_id: runId });
  const run = await stand.over(runId);
  expect(run).toMatchObject({ status: 'cancelled', stages: [{ status: 'cancelled' }] });
  expect(await stand.call(ana, 'tasks.get', { task_id: stages[0].task_id })).toMatchObject({ status: 'cancelled' });
});

test('a task that somebody else cancels fails its stage, not the run as cancelled', async () => {
  const nobody = { name: 'nobody', type: 'analysis', executor: 'agent', capabilities: ['nobody'] };
  const runId = await stand.execute(ana, pipeline([nobody]));
  const { stages } = await stand.until(runId, (run) => run.stages[0].task_id !== null);
  await stand.call(ana, 'tasks.cancel', { task_id: stages[0].task_id });
  const run = await stand.over(runId);
  expect(run).toMatchObject({ status: 'failed', stages: [{ status: 'failed' }] });
});

/** A run whose task was started by somebody else, as one is when the process that opened it died: it stands in the queue. */
async function foreign(capability: string) {
  const rate = { name: 'rate', type: 'analysis', executor: 'agent', capabilities: [capability] };
  const runId = await stand.execute(ana, pipeline([{ ...rate, approval: true }]));
  const { approvals, workflow_id } = await stand.until(runId, (run) => run.approvals.length === 1);
  const task_id = `task-${uuidV5(`stage-task:${workflow_id}/0/-1/1/-1`)}`;
  const { temporal } = stand.deps;
  const task = await temporal.workflow.start(WORKFLOWS.runTask, {
    workflowId: task_id,
    taskQueue: QUEUES.workflows,
    args: [{ task_id, owner: 'ana', attempt: 1, timeout_seconds: 3600, assigned: false, in_place: true }],
  });
  await stand.call(ana, 'approvals.decide', { approval_id: approvals[0].approval_id, decision: 'approve' });
  await stand.until(runId, (run) => run.stages[0].task_id === task_id);
  const history = async () => (await temporal.workflow.getHandle(workflow_id).fetchHistory()).events ?? [];
  const waits = (events: Awaited<ReturnType<typeof history>>) =>
    events.filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'awaitStageTask');
  await vi.waitUntil(async () => waits(await history()).length > 0, { timeout: 20_000 });
  return { runId, task, task_id, history, waits };
}

test('a task that somebody else started is waited for in one step, and its end is at once that of the stage', async () => {
  const { runId, task, history, waits } = await foreign('late');
  await agent('late', () => ({ rated: 7 }));
  await task.signal(MESSAGES.assigned, { attempt: 1 });
  const run = await stand.over(runId);
  expect(run.stages[0]).toMatchObject({ status: 'completed', summary: { rated: 7 } });
  const events = await history();
  const [wait, ...others] = waits(events);
  expect(others).toEqual([]);
  // Where no other step stands behind it.
  expect(wait?.activityTaskScheduledEventAttributes?.taskQueue?.name).toBe(QUEUES.waits);
  expect(events.some((event) => event.timerStartedEventAttributes?.startToFireTimeout?.seconds?.toNumber() === 5)).toBe(
    false,
  );
});

test('cancelled, a run takes a task with it that somebody else started', async () => {
  const { runId, task, task_id } = await foreign('nobody');
  await stand.call(ana, 'runs.cancel', { run_id: runId });
  expect(await stand.over(runId)).toMatchObject({ status: 'cancelled', stages: [{ status: 'cancelled' }] });
  await expect(task.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
  expect(await stand.call(ana, 'tasks.get', { task_id })).toMatchObject({ status: 'cancelled' });
});
