/** What callers do to runs: decide, pause, resume, cancel; and what they may not. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of pipelines
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Failure } from '../../../src/schema/failures.ts';
import { visibleTo } from '../../../src/services/events/view.ts';
import { BEGINNING } from '../../../src/stores/event-position.ts';
import { readEvents } from '../../../src/stores/events.ts';
import { makeKey } from '../api/stand.ts';
import { caller, op, openStand, pipeline, type Stand } from './stand.ts';

const does: Record<string, (signal: AbortSignal) => unknown> = {};
const calls: string[] = [];
const ana = caller('developer', { id: 'ana' });
const boss = caller('operator', { id: 'boss' });
let stand: Stand;

beforeAll(async () => {
  stand = await openStand({
    env: { EGRESS_ALLOW: 'receiver.invalid' },
    operate: (real) => async (call) => {
      const name = call.input['does'];
      if (typeof name !== 'string') return real(call);
      calls.push(name);
      return (await does[name]?.(call.signal)) ?? { name };
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
const statuses = (run: any) => run.stages.map((stage: any) => stage.status);

test('a stage with an approval waits, and the first decision counts', async () => {
  const runId = await stand.execute(
    ana,
    pipeline([act('first'), act('careful', { approval: { message: 'really?', deadline_seconds: 3600 } })]),
  );
  const waiting = await stand.until(runId, (run) => run.approvals.length === 1);
  expect(statuses(waiting)).toEqual(['completed', 'waiting']);
  const [approval] = waiting.approvals;
  expect(approval).toMatchObject({ message: 'really?', stage: 1, status: 'pending', run_id: runId });
  const listed = await stand.call(boss, 'approvals.list', { status: 'pending', run_id: runId });
  expect(listed.items).toHaveLength(1);
  const { approval_id } = approval;
  const viewer = caller('viewer', { id: 'ana' });
  await expect(stand.call(viewer, 'approvals.decide', { approval_id, decision: 'approve' })).rejects.toMatchObject({
    code: 'forbidden',
  });
  const stranger = caller('developer', { id: 'eve' });
  await expect(stand.call(stranger, 'approvals.decide', { approval_id, decision: 'approve' })).rejects.toMatchObject({
    code: 'not_found',
  });
  const decisions = await Promise.allSettled([
    stand.call(boss, 'approvals.decide', { approval_id, decision: 'approve', comment: 'fine' }),
    stand.call(boss, 'approvals.decide', { approval_id, decision: 'approve', comment: 'fine too' }),
  ]);
  expect(decisions.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  const run = await stand.over(runId);
  expect(run.status).toBe('completed');
  const row = (await stand.call(boss, 'approvals.list', { run_id: runId })).items[0];
  expect(row).toMatchObject({ status: 'approved', decided_by: 'boss', comment: expect.stringContaining('fine') });
  expect(row.decided_at).not.toBeNull();
  const events = await stand.deps.db
    .selectFrom('event_log')
    .select('name')
    .where('name', 'in', ['approval.requested', 'approval.decided'])
    .where('resource', '=', `run:${runId}`)
    .execute();
  expect(events.map(({ name }) => name)).toEqual(['approval.requested', 'approval.decided']);
});

test('a refused approval fails its stage, which then follows its own rule', async () => {
  const runId = await stand.execute(
    ana,
    pipeline([act('careful', { approval: true, on_failure: 'continue' }), act('after')]),
  );
  const { approvals } = await stand.until(runId, (run) => run.approvals.length === 1);
  await stand.call(ana, 'approvals.decide', { approval_id: approvals[0].approval_id, decision: 'reject' });
  const run = await stand.over(runId);
  expect(run.status).toBe('completed');
  expect(run.stages[0]).toMatchObject({ status: 'failed', error: { code: 'approval_rejected' } });
  expect(calls).toEqual(['after']);
});

test('paused, nothing new begins; what runs ends; resumed, it goes on', async () => {
  const go = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  does['one'] = () => go.promise;
  does['two'] = () => end.promise;
  const runId = await stand.execute(ana, pipeline([act('one'), act('two')]));
  await stand.until(runId, () => calls.includes('one'));
  expect(await stand.call(ana, 'runs.pause', { run_id: runId })).toMatchObject({ status: 'paused' });
  go.resolve();
  const paused = await stand.until(runId, (run) => run.stages[0].status === 'completed');
  expect(paused).toMatchObject({ status: 'paused', completed_stages: [0], current_stage: 1 });
  expect(statuses(paused)).toEqual(['completed', 'pending']);
  expect(await stand.call(ana, 'runs.resume', { run_id: runId })).toMatchObject({ status: 'running' });
  end.resolve();
  expect(await stand.over(runId)).toMatchObject({ status: 'completed' });
  expect(calls).toEqual(['one', 'two']);
  await expect(stand.call(ana, 'runs.pause', { run_id: runId })).rejects.toMatchObject({ code: 'conflict' });
});

test('paused in the middle of a list, no other item begins', async () => {
  const go = Promise.withResolvers<void>();
  does['each'] = () => go.promise;
  const runId = await stand.execute(ana, pipeline([act('each', { for_each: { items: [1, 2, 3], concurrency: 1 } })]));
  await stand.until(runId, () => calls.length === 1);
  await stand.call(ana, 'runs.pause', { run_id: runId });
  go.resolve();
  const paused = await stand.until(runId, (run) => run.stages[0].items.by_status.completed === 1);
  expect(paused.status).toBe('paused');
  // An answer to an update comes after everything that was due before it.
  await stand.call(ana, 'runs.pause', { run_id: runId });
  expect(await stand.deps.temporal.workflow.getHandle(paused.workflow_id).executeUpdate('pause')).toBe('paused');
  expect(calls).toHaveLength(1);
  await stand.call(ana, 'runs.resume', { run_id: runId });
  expect(await stand.over(runId)).toMatchObject({ status: 'completed' });
  expect(calls).toHaveLength(3);
});

test('cancelled, what runs is stopped and waited for, and the run ends once', async () => {
  let stopped = false;
  does['long'] = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        stopped = true;
        reject(signal.reason);
      });
    });
  const edges: [number, number][] = [[0, 2]];
  const runId = await stand.execute(ana, pipeline([act('long'), act('asks', { approval: true }), act('after')], edges));
  await stand.until(runId, (run) => calls.includes('long') && run.approvals.length === 1);
  await stand.call(ana, 'runs.cancel', { run_id: runId });
  const run = await stand.over(runId);
  expect(stopped).toBe(true);
  expect(run).toMatchObject({ status: 'cancelled', error: null, approvals: [] });
  expect(statuses(run)).toEqual(['cancelled', 'cancelled', 'cancelled']);
  const workflow = await stand.deps.temporal.workflow.getHandle(run.workflow_id).describe();
  expect(workflow.status.name).toBe('CANCELLED');
  // Nobody can decide what nobody waits for.
  const { items } = await stand.call(ana, 'approvals.list', { run_id: runId });
  expect(items).toMatchObject([{ status: 'cancelled' }]);
  delete does['long'];
  await stand.call(ana, 'runs.retry', { run_id: runId });
  const { approvals } = await stand.until(runId, (again) => again.approvals.length === 1);
  await stand.call(ana, 'approvals.decide', { approval_id: approvals[0].approval_id, decision: 'approve' });
  expect(await stand.over(runId)).toMatchObject({ status: 'completed', attempt: 2 });
});

test('a stage that takes longer than it may is stopped and fails as timed out', async () => {
  let stopped = false;
  does['long'] = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        stopped = true;
        reject(signal.reason);
      });
    });
  const run = await stand.over(await stand.execute(ana, pipeline([act('long', { timeout: 1 })])));
  expect(stopped).toBe(true);
  expect(run.error).toEqual({ code: 'timeout', detail: 'Stage long: It took more than 1 seconds' });
  expect(run.stages[0]).toMatchObject({ status: 'failed', attempt: 1 });
});

test('a failing arm lets the other end, and calls off what waits', async () => {
  const go = Promise.withResolvers<void>();
  does['slow'] = () => go.promise;
  does['bad'] = () => Promise.reject(new Error('a bug'));
  const runId = await stand.execute(ana, pipeline([act('slow'), act('bad'), act('asks', { approval: true })], []));
  await stand.until(runId, (run) => run.stages[1].status === 'failed' && run.approvals.length === 1);
  go.resolve();
  const run = await stand.over(runId);
  expect(statuses(run)).toEqual(['completed', 'failed', 'cancelled']);
  expect(run.error).toMatchObject({ code: 'internal' });
});

test('an operation runs with what the caller may do, and is audited as theirs', async () => {
  const analyst = caller('analyst', { id: 'ann' });
  const made = pipeline([
    op('make-key', { name: 'k', role: 'viewer' }, { operation: 'keys.create' }),
    op('who', {}, { operation: 'whoami' }),
  ]);
  const run = await stand.over(await stand.execute(analyst, made));
  expect(run.error).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('Stage make-key') });
  expect(run.stages[0].attempt).toBe(1);
  const allowed = await stand.over(await stand.execute(caller('admin'), made));
  expect(allowed.status).toBe('completed');
  expect(allowed.stages[1].summary).toMatchObject({ role: 'admin' });
  const audit = await stand.deps.db
    .selectFrom('audit_log')
    .select(['principal_id', 'outcome', 'request_id'])
    .where('operation', '=', 'keys.create')
    .orderBy('audit_id')
    .execute();
  expect(audit).toMatchObject([
    { principal_id: 'ann', outcome: 'forbidden', request_id: `run:${run.run_id}/0/-1/1.1` },
    { principal_id: 'admin-1', outcome: 'ok' },
  ]);
});

test('a refusal is audited with what it was about', async () => {
  const id = randomUUID();
  const eve = caller('developer', { id: 'eve' });
  for (const [name, field] of [
    ['notifications.replay', 'notification_id'],
    ['approvals.decide', 'approval_id'],
    ['runs.retry', 'run_id'],
  ] as const) {
    const decision = field === 'approval_id' ? { decision: 'approve' } : {};
    await expect(stand.call(eve, name, { [field]: id, ...decision })).rejects.toMatchObject({ code: 'not_found' });
    const audit = await stand.deps.db
      .selectFrom('audit_log')
      .select(['resource', 'outcome'])
      .where('operation', '=', name)
      .where('principal_id', '=', 'eve')
      .where('resource', 'like', `%${id}`)
      .execute();
    expect(audit).toEqual([{ resource: `${field.slice(0, -3)}:${id}`, outcome: 'not_found' }]);
  }
});

test('a key that loses its role or its life in the meantime takes its runs with it', async () => {
  for (const [change, words] of [
    [{ role: 'viewer' as const }, /lacks/],
    [{ revoked_at: new Date() }, /revoked/],
  ] as const) {
    const { key_id, principal_id } = await makeKey(stand.deps, 'admin');
    const admin = caller('admin', { id: principal_id, via: 'api_key', keyId: key_id });
    const go = Promise.withResolvers<void>();
    does['wait'] = () => go.promise;
    const runId = await stand.execute(
      admin,
      pipeline([act('wait'), op('make', { name: 'k', role: 'viewer' }, { operation: 'keys.create' })]),
    );
    await stand.until(runId, () => calls.includes('wait'));
    await stand.deps.db.updateTable('api_keys').set(change).where('key_id', '=', key_id).execute();
    go.resolve();
    const run = await stand.over(runId);
    expect(run.error).toMatchObject({ code: 'forbidden', detail: expect.stringMatching(words) });
    calls.length = 0;
  }
});

test('the same key with the same body is one run', async () => {
  const { pipeline_id } = await stand.call(ana, 'pipelines.create', pipeline([act('once')]));
  const key = randomUUID();
  const body = { pipeline_id, parameters: { n: 1 } };
  const [first, second] = await Promise.all([
    stand.call(ana, 'pipelines.execute', body, key),
    stand.call(ana, 'pipelines.execute', body, key),
  ]);
  expect(second.run_id).toBe(first.run_id);
  await expect(stand.call(ana, 'pipelines.execute', { ...body, parameters: { n: 2 } }, key)).rejects.toMatchObject({
    code: 'idempotency_mismatch',
  });
  await stand.over(first.run_id);
  expect(calls).toEqual(['once']);
});

test('what cannot work is refused before anything is admitted', async () => {
  const { pipeline_id } = await stand.call(ana, 'pipelines.create', pipeline([act('x')]));
  const execute = (more: object) => stand.call(ana, 'pipelines.execute', { pipeline_id, ...more });
  await expect(execute({ notification: { email: 'a@example.com' } })).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining('SMTP_URL'),
  });
  await expect(execute({ version: 7 })).rejects.toMatchObject({ code: 'not_found' });
  await expect(execute({ parameters: { big: 'x'.repeat(300_000) } })).rejects.toMatchObject({
    code: 'payload_too_large',
  });
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  await expect(execute({ parameters: { deep } })).rejects.toMatchObject({ code: 'invalid_input' });
  await expect(execute({ parameters: { nul: '\0' } })).rejects.toMatchObject({ code: 'invalid_input' });
  expect((await stand.call(ana, 'pipelines.runs', { pipeline_id })).items).toEqual([]);
});

test('lists page by cursor, newest first', async () => {
  const ann = caller('developer', { id: 'ann-who-lists' });
  const made: string[] = [];
  for (let n = 0; n < 3; n += 1)
    made.push((await stand.call(ann, 'pipelines.create', pipeline([act('x')]))).pipeline_id);
  const first = await stand.call(ann, 'pipelines.list', { limit: 2 });
  const second = await stand.call(ann, 'pipelines.list', { limit: 2, cursor: first.next_cursor });
  expect([first.truncated, second.truncated]).toEqual([true, false]);
  const ids = [...first.items, ...second.items].map(({ pipeline_id }: any) => pipeline_id);
  expect(ids).toEqual(made.toReversed());
});

test('a grant on a pipeline, a run or its workflow opens what waits, what was told and what is heard of it, in lists too', async () => {
  const notification = { webhook: 'https://receiver.invalid/hook' };
  const runId = await stand.execute(ana, pipeline([act('asks', { approval: true })]), { notification });
  const { approvals, pipeline_id, workflow_id } = await stand.until(runId, (run) => run.approvals.length === 1);
  const { approval_id } = approvals[0];
  const other = await stand.execute(ana, pipeline([act('asks', { approval: true })]), { notification });
  await stand.until(other, (run) => run.approvals.length === 1);
  const listed = async (who: ReturnType<typeof caller>) =>
    Promise.all(
      ['approvals.list', 'notifications.list', 'runs.list'].map(async (name) =>
        (await stand.call(who, name)).items.map(({ run_id }: any) => run_id),
      ),
    );
  for (const resource of [`pipeline:${pipeline_id}`, `run:${runId}`, `workflow:${workflow_id}`]) {
    const granted = (access: 'read' | 'write') =>
      caller('developer', { id: `friend-${access}`, grants: [{ resource, access }] });
    expect(await listed(granted('read')), resource).toEqual([[runId], [runId], [runId]]);
    const [told] = (await stand.call(granted('read'), 'notifications.list')).items;
    const again = { notification_id: told.notification_id };
    await expect(stand.call(granted('read'), 'notifications.replay', again)).rejects.toMatchObject({
      code: 'forbidden',
    });
    // It is being delivered, which is for those to know who may deliver it again.
    await expect(stand.call(granted('write'), 'notifications.replay', again)).rejects.toMatchObject({
      code: 'conflict',
    });
  }
  const nobody = caller('developer', { id: 'nobody', grants: [{ resource: 'pipeline:p', access: 'write' }] });
  expect(await listed(nobody)).toEqual([[], [], []]);
  const friend = caller('developer', {
    id: 'friend',
    grants: [{ resource: `pipeline:${pipeline_id}`, access: 'write' }],
  });
  await stand.call(friend, 'approvals.decide', { approval_id, decision: 'approve' });
  await stand.over(runId);
  const { events } = await readEvents(stand.deps.db, { ...visibleTo(friend), after: BEGINNING, limit: 1_000 });
  expect(events.filter(({ data }) => data.run_id !== runId)).toEqual([]);
  const names = new Set(events.map(({ name }) => name));
  expect([...names].toSorted()).toEqual(['approval.decided', 'approval.requested', 'pipeline.progress']);
  await stand.call(ana, 'runs.cancel', { run_id: other });
  await stand.over(other);
});

test('others are told that there is nothing', async () => {
  const runId = await stand.execute(ana, pipeline([act('mine')]));
  const run = await stand.over(runId);
  const eve = caller('developer', { id: 'eve' });
  for (const [name, input] of [
    ['runs.get', { run_id: runId }],
    ['runs.cancel', { run_id: runId }],
    ['runs.artifacts', { run_id: runId }],
    ['pipelines.get', { pipeline_id: run.pipeline_id }],
    ['pipelines.execute', { pipeline_id: run.pipeline_id }],
    ['pipelines.update', { pipeline_id: run.pipeline_id, ...pipeline([act('x')]) }],
  ] as const) {
    await expect(stand.call(eve, name, input), name).rejects.toMatchObject({ code: 'not_found' });
  }
  expect((await stand.call(eve, 'runs.list')).items).toEqual([]);
  expect((await stand.call(eve, 'pipelines.list')).items).toEqual([]);
  const granted = caller('viewer', { id: 'eve', grants: [{ resource: `run:${runId}`, access: 'read' }] });
  expect(await stand.call(granted, 'runs.get', { run_id: runId })).toMatchObject({ status: 'completed' });
  await expect(stand.call(granted, 'runs.cancel', { run_id: runId })).rejects.toMatchObject({ code: 'forbidden' });
});

test('pipelines that start themselves come to an end', async () => {
  const { pipeline_id } = await stand.call(ana, 'pipelines.create', pipeline([act('draft')]));
  await stand.call(ana, 'pipelines.update', {
    pipeline_id,
    ...pipeline([op('again', { pipeline_id }, { operation: 'pipelines.execute' })]),
  });
  const { run_id } = await stand.call(ana, 'pipelines.execute', { pipeline_id });
  await stand.over(run_id);
  const deepest = async () => (await stand.call(ana, 'pipelines.runs', { pipeline_id })).items;
  for (let end = Date.now() + 30_000; Date.now() < end; ) {
    const runs = await deepest();
    if (runs.some(({ status }: any) => status === 'failed')) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const runs = await deepest();
  expect(runs).toHaveLength(5);
  expect(runs[0].error).toMatchObject({ code: 'too_deep', detail: expect.stringContaining('5 deep') });
});

test('runs that try each other again come to an end', async () => {
  // A compensating stage is done anew on every attempt; here it tries the other run again.
  const again = op('again', { run_id: '${parameters.other}' }, { operation: 'runs.retry' });
  const made = pipeline([act('bad', { on_failure: { compensate: 'again' } }), again], []);
  const { pipeline_id } = await stand.call(ana, 'pipelines.create', made);
  const execute = async (other = 'nobody'): Promise<string> =>
    (await stand.call(ana, 'pipelines.execute', { pipeline_id, parameters: { other } })).run_id;
  does['bad'] = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const second = await execute();
  await stand.until(second, () => calls.includes('bad'));
  await stand.call(ana, 'runs.cancel', { run_id: second });
  await stand.over(second);
  const live = async () => {
    const { items } = await stand.call(ana, 'pipelines.runs', { pipeline_id });
    return items.filter(({ completed_at }: any) => completed_at === null).length;
  };
  // Only what is over can be tried again.
  does['bad'] = async () => {
    while ((await live()) > 1) await new Promise((resolve) => setTimeout(resolve, 20));
    throw new Failure('execution_error', 'bad');
  };
  const first = await execute(second);
  const parameters = JSON.stringify({ other: first });
  await stand.deps.db.updateTable('pipeline_runs').set({ parameters }).where('run_id', '=', second).execute();
  const last = await stand.until(first, (run) => run.attempt === 3 && run.completed_at !== null);
  expect(last.stages[1].error).toMatchObject({ code: 'too_deep', detail: expect.stringContaining('5 deep') });
  expect(await stand.over(second)).toMatchObject({ attempt: 3, status: 'failed' });
  expect(await live()).toBe(0);
  // Somebody who asks for it by hand begins anew.
  does['bad'] = () => ({});
  await stand.call(ana, 'runs.retry', { run_id: first });
  expect(await stand.over(first)).toMatchObject({ attempt: 4, status: 'completed' });
});
