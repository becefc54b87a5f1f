/** How runs go: side by side, skipped, forgiven, compensated, fanned out, tried again. Stages answer as a test says. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of pipelines
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { Failure } from '../../../src/schema/failures.ts';
import { PipelineProgressData } from '../../../src/schema/live.ts';
import { caller, op, openStand, pipeline, type Stand } from './stand.ts';

interface Doing {
  input: any;
  signal: AbortSignal;
  requestId: string;
  progress(share: number): void;
}
/** What stages of the name `do` do: by the field `does` of their input. */
const does: Record<string, (doing: Doing) => unknown> = {};
const calls: string[] = [];
const ana = caller('developer', { id: 'ana' });
let stand: Stand;

beforeAll(async () => {
  stand = await openStand({
    operate: (real) => async (call) => {
      const name = call.input['does'];
      if (typeof name !== 'string') return real(call);
      calls.push(name);
      const { input, signal, requestId } = call;
      return (await does[name]?.({ input, signal, requestId, progress: (share) => call.report(share, 1) })) ?? { name };
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

const act = (name: string, more: object = {}, input: object = {}) => op(name, { does: name, ...input }, more);
const statuses = (run: any) => Object.fromEntries(run.stages.map((stage: any) => [stage.name, stage.status]));
const fails =
  (code: 'execution_error' | 'invalid_input', words = 'it broke') =>
  () => {
    throw new Failure(code, words);
  };

test('a diamond runs its arms side by side', async () => {
  // Each arm waits for the other: one after the other they would never end.
  const both = Promise.withResolvers<void>();
  let arrived = 0;
  const meet = async () => {
    arrived += 1;
    if (arrived === 2) both.resolve();
    await both.promise;
  };
  does['left'] = meet;
  does['right'] = meet;
  const edges: [number, number][] = [
    [0, 1],
    [0, 2],
    [1, 3],
    [2, 3],
  ];
  const run = await stand.over(
    await stand.execute(ana, pipeline([act('top'), act('left'), act('right'), act('bottom')], edges)),
  );
  expect(run).toMatchObject({ status: 'completed', progress: 1, current_stage: 3, completed_stages: [0, 1, 2, 3] });
  expect([calls[0], calls[3]]).toEqual(['top', 'bottom']);
  const [, left, right] = run.stages;
  expect(left.started_at < right.ended_at && right.started_at < left.ended_at).toBe(true);
  const events = await stand.deps.db
    .selectFrom('event_log')
    .select(['data', 'resource', 'owner'])
    .where('resource', '=', `run:${run.run_id}`)
    .where('name', '=', 'pipeline.progress')
    .orderBy('seq')
    .execute();
  for (const event of events) expect(PipelineProgressData.parse(event.data)).toEqual(event.data);
  const shares = events.map(({ data }) => data['progress'] as number);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  expect(events.at(-1)).toMatchObject({ owner: 'ana', data: { progress: 1, completed_stages: [0, 1, 2, 3] } });
});

test('a condition skips a stage, templates carry values, and dependents run', async () => {
  const seen: unknown[] = [];
  does['count'] = () => ({ rows: 7, list: ['a'] });
  does['use'] = ({ input }) => void seen.push(input);
  const run = await stand.over(
    await stand.execute(
      ana,
      pipeline([
        act('count'),
        act('never', { when: 'stages.count.output.rows > 10' }),
        act(
          'use',
          { when: 'parameters.on && stages.never.status == "skipped"' },
          { n: '${stages.count.output.rows * parameters.k}', text: 'of ${input.source}' },
        ),
      ]),
      { parameters: { on: true, k: 2 }, input_data: { source: 's3://b' } },
    ),
  );
  expect(statuses(run)).toEqual({ count: 'completed', never: 'skipped', use: 'completed' });
  expect(run.stages[1].reason).toMatch(/condition/);
  expect(seen).toEqual([{ does: 'use', n: 14, text: 'of s3://b' }]);
  expect(calls).toEqual(['count', 'use']);
});

test('a failure of a required stage fails the run with its name, and nothing new begins', async () => {
  does['bad'] = fails('execution_error', 'no disk');
  const run = await stand.over(await stand.execute(ana, pipeline([act('bad'), act('after')])));
  expect(run).toMatchObject({ status: 'failed', error: { code: 'execution_error', detail: 'Stage bad: no disk' } });
  expect(statuses(run)).toEqual({ bad: 'failed', after: 'cancelled' });
  expect(run.stages[0]).toMatchObject({ attempt: 1, error: { code: 'execution_error', detail: 'no disk' } });
  const workflow = await stand.call(ana, 'workflows.get', { workflow_id: run.workflow_id });
  expect(workflow).toMatchObject({ status: 'failed', error: { code: 'execution_error' } });
});

test('one that is not required may fail, and its dependents see it failed', async () => {
  does['bad'] = fails('execution_error');
  const run = await stand.over(
    await stand.execute(
      ana,
      pipeline([
        act('bad', { required: false }),
        act('sees', { when: 'stages.bad.status == "failed" && stages.bad.error.code == "execution_error"' }),
      ]),
    ),
  );
  expect(run.status).toBe('completed');
  expect(statuses(run)).toEqual({ bad: 'failed', sees: 'completed' });
});

test('on_failure skip takes out what depends on it, and only that', async () => {
  does['bad'] = fails('execution_error');
  const edges: [number, number][] = [
    [0, 1],
    [1, 2],
  ];
  const run = await stand.over(
    await stand.execute(
      ana,
      pipeline([act('bad', { on_failure: 'skip' }), act('next'), act('last'), act('beside')], edges),
    ),
  );
  expect(run.status).toBe('completed');
  expect(statuses(run)).toEqual({ bad: 'failed', next: 'skipped', last: 'skipped', beside: 'completed' });
  expect(run.stages[2].reason).toMatch(/stage bad failed/);
});

test('a compensating stage runs when its stage failed, and only then', async () => {
  does['pay'] = fails('execution_error', 'no money');
  const seen: unknown[] = [];
  does['refund'] = ({ input }) => void seen.push(input.why);
  const stages = [
    act('pay', { on_failure: { compensate: 'refund' } }),
    act('ship'),
    act('refund', {}, { why: '${stages.pay.error.detail}' }),
  ];
  const run = await stand.over(await stand.execute(ana, pipeline(stages, [[0, 1]])));
  expect(run).toMatchObject({ status: 'failed', error: { detail: 'Stage pay: no money' } });
  expect(statuses(run)).toEqual({ pay: 'compensated', ship: 'cancelled', refund: 'completed' });
  expect(seen).toEqual(['no money']);

  delete does['pay'];
  const well = await stand.over(await stand.execute(ana, pipeline(stages, [[0, 1]])));
  expect(well.status).toBe('completed');
  expect(statuses(well)).toEqual({ pay: 'completed', ship: 'completed', refund: 'skipped' });
});

test('a compensating stage that fails itself leaves its stage failed', async () => {
  does['pay'] = fails('execution_error');
  does['refund'] = fails('execution_error', 'nor that');
  const run = await stand.over(
    await stand.execute(ana, pipeline([act('pay', { on_failure: { compensate: 'refund' } }), act('refund')], [])),
  );
  expect(statuses(run)).toEqual({ pay: 'failed', refund: 'failed' });
});

test('a compensating stage asks for its approval, with the run failing or paused, and does nothing before', async () => {
  does['pay'] = fails('execution_error', 'no money');
  const stages = [
    act('pay', { on_failure: { compensate: 'refund' } }),
    act('refund', { approval: { message: 'give it back?', deadline_seconds: 3600 } }),
  ];
  const decided = async (decision: string): Promise<any> => {
    calls.length = 0;
    const runId = await stand.execute(ana, pipeline(stages, []));
    const waiting = await stand.until(runId, (run) => run.approvals.length === 1);
    expect(statuses(waiting)).toEqual({ pay: 'failed', refund: 'waiting' });
    expect(waiting.approvals[0]).toMatchObject({ message: 'give it back?', stage: 1 });
    await stand.call(ana, 'runs.pause', { run_id: runId });
    expect(calls).toEqual(['pay']);
    const { approval_id } = waiting.approvals[0];
    await stand.call(ana, 'approvals.decide', { approval_id, decision });
    return stand.over(runId);
  };
  const given = await decided('approve');
  expect(statuses(given)).toEqual({ pay: 'compensated', refund: 'completed' });
  expect(calls).toEqual(['pay', 'refund']);
  const kept = await decided('reject');
  expect(statuses(kept)).toEqual({ pay: 'failed', refund: 'failed' });
  expect(kept.stages[1].error).toMatchObject({ code: 'approval_rejected' });
  expect(calls).toEqual(['pay']);
});

test('a compensating stage does all its items, on every attempt of the run', async () => {
  does['pay'] = fails('execution_error', 'no money');
  const seen: string[] = [];
  does['refund'] = ({ input }) => {
    seen.push(input.what);
    if (input.what === 'b' && seen.length < 4) throw new Failure('execution_error', 'not yet');
  };
  const stages = [
    act('pay', { on_failure: { compensate: 'refund' } }),
    act('refund', { for_each: { items: ['a', 'b'], concurrency: 1 } }, { what: '${item}' }),
  ];
  const runId = await stand.execute(ana, pipeline(stages, []));
  const run = await stand.over(runId);
  expect(statuses(run)).toEqual({ pay: 'failed', refund: 'failed' });
  expect(run.stages[1].items).toMatchObject({ total: 2, by_status: { completed: 1, failed: 1 } });
  await stand.call(ana, 'runs.retry', { run_id: runId });
  const again = await stand.over(runId);
  expect(statuses(again)).toEqual({ pay: 'compensated', refund: 'completed' });
  expect(again.stages[1].items).toMatchObject({ total: 2, by_status: { completed: 2 } });
  // What was given back on the first attempt was for the first payment.
  expect(seen).toEqual(['a', 'b', 'a', 'b']);
});

test('a stage is tried again as often as it may, and attempts are counted', async () => {
  let tries = 0;
  does['shaky'] = () => {
    tries += 1;
    if (tries < 3) throw new Failure('execution_error', `try ${tries}`);
  };
  const retry = { max_attempts: 3, backoff_seconds: 0 };
  const run = await stand.over(await stand.execute(ana, pipeline([act('shaky', { retry })])));
  expect(run.stages[0]).toMatchObject({ status: 'completed', attempt: 3 });
  expect(calls).toHaveLength(3);
  const { attempts } = run.stages[0];
  expect(attempts.map((one: any) => [one.attempt, one.run_attempt, one.status, one.error?.detail])).toEqual([
    [1, 1, 'failed', 'try 1'],
    [2, 1, 'failed', 'try 2'],
    [3, 1, 'completed', undefined],
  ]);
  const times = attempts.flatMap((one: any) => [Date.parse(one.started_at), Date.parse(one.completed_at)]);
  expect(times).toEqual(times.toSorted((a: number, b: number) => a - b));

  does['wrong'] = fails('invalid_input');
  const never = await stand.over(await stand.execute(ana, pipeline([act('wrong', { retry })])));
  expect(never.stages[0]).toMatchObject({ status: 'failed', attempt: 1 });
});

test('a run shows the tries and the workflow of its earlier attempts, and what was being tried when it was cancelled', async () => {
  let good = false;
  does['first'] = ({ signal }) =>
    good || new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const runId = await stand.execute(ana, pipeline([act('first'), act('second')]));
  const running = await stand.until(runId, (run) => run.stages[0].attempts.length === 1);
  expect(running.stages[0].attempts).toMatchObject([{ attempt: 1, status: 'running', completed_at: null }]);
  expect(running.earlier_attempts).toEqual([]);
  await stand.call(ana, 'runs.cancel', { run_id: runId });
  await stand.over(runId);
  does['first'] = fails('execution_error', 'not so');
  await stand.call(ana, 'runs.retry', { run_id: runId });
  await stand.over(runId);
  good = true;
  does['first'] = () => ({});
  await stand.call(ana, 'runs.retry', { run_id: runId });
  const run = await stand.over(runId);
  const [first, second] = run.stages;
  expect(first.attempts.map((one: any) => [one.run_attempt, one.attempt, one.status, one.error])).toEqual([
    [1, 1, 'cancelled', null],
    [2, 1, 'failed', { code: 'execution_error', detail: 'not so' }],
    [3, 1, 'completed', null],
  ]);
  expect(second.attempts).toMatchObject([{ run_attempt: 3, attempt: 1, status: 'completed' }]);
  expect(run.earlier_attempts).toMatchObject([
    { attempt: 1, workflow_id: `run-${runId}`, status: 'cancelled', error: null },
    { attempt: 2, workflow_id: `run-${runId}~2`, status: 'failed', error: { code: 'execution_error' } },
  ]);
  for (const { workflow_id, links, started_at, completed_at } of run.earlier_attempts) {
    expect(links.ui).toContain(`/workflows/${encodeURIComponent(workflow_id)}`);
    expect(links.workflow).toBe(`/api/v1/workflows/${encodeURIComponent(workflow_id)}`);
    expect(Date.parse(completed_at)).toBeGreaterThanOrEqual(Date.parse(started_at));
    expect(await stand.call(ana, 'workflows.get', { workflow_id })).toMatchObject({ workflow_id });
  }
});

test('of very many tries the last 20 are shown', async () => {
  does['shaky'] = fails('execution_error');
  const stages = [act('shaky', { retry: { max_attempts: 12, backoff_seconds: 0 } })];
  const runId = await stand.execute(ana, pipeline(stages));
  await stand.over(runId);
  await stand.call(ana, 'runs.retry', { run_id: runId });
  const run = await stand.until(runId, (now) => now.attempt === 2 && now.completed_at !== null);
  const { attempts } = run.stages[0];
  expect(attempts).toHaveLength(20);
  expect(attempts[0]).toMatchObject({ run_attempt: 1, attempt: 5 });
  expect(attempts.at(-1)).toMatchObject({ run_attempt: 2, attempt: 12 });
});

test('for_each runs an item of a list each, so many at once, with rows of their own', async () => {
  let now = 0;
  let most = 0;
  const seen: unknown[] = [];
  does['each'] = async ({ input }) => {
    most = Math.max(most, ++now);
    seen.push(input.city);
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
  };
  const run = await stand.over(
    await stand.execute(
      ana,
      pipeline([
        act('each', { for_each: { items: 'parameters.cities', concurrency: 3 } }, { city: '${item} ${item_index}' }),
        act('after', { when: 'stages.each.output.items == 20' }),
      ]),
      { parameters: { cities: Array.from({ length: 20 }, (_, n) => `c${n}`) } },
    ),
  );
  expect(run.status).toBe('completed');
  expect(seen.toSorted()).toEqual(Array.from({ length: 20 }, (_, n) => `c${n} ${n}`).toSorted());
  expect(most).toBeLessThanOrEqual(3);
  const [each] = run.stages;
  expect(each).toMatchObject({ status: 'completed', items: { total: 20, by_status: { completed: 20 } }, attempt: 1 });
  expect(Date.parse(each.ended_at)).toBeGreaterThan(Date.parse(each.started_at));
  expect(statuses(run)['after']).toBe('completed');
});

test('an item that fails fails the stage after all were tried, and a retry does the missing ones only', async () => {
  let broken = true;
  does['each'] = ({ input }) => {
    if (input.n === 3 && broken) throw new Failure('execution_error', 'no three');
  };
  const retry = { max_attempts: 2, backoff_seconds: 0 };
  const stages = [act('each', { for_each: { items: [1, 2, 3, 4] }, retry }, { n: '${item}' }), act('after')];
  const runId = await stand.execute(ana, pipeline(stages));
  const run = await stand.over(runId);
  expect(run.error.detail).toBe('Stage each: 1 of 4 items failed; item 2: no three');
  expect(run.stages[0].items).toMatchObject({ by_status: { completed: 3, failed: 1 }, failed: [{ item: 2 }] });
  expect(run.stages[0]).toMatchObject({ attempt: 2, seconds: expect.any(Number), attempts: [] });
  const error = { code: 'execution_error', detail: 'no three' };
  expect(run.stages[0].items.failed[0].attempts).toMatchObject([
    { attempt: 1, status: 'failed', error },
    { attempt: 2, status: 'failed', error },
  ]);
  broken = false;
  calls.length = 0;
  await stand.call(ana, 'runs.retry', { run_id: runId });
  const again = await stand.over(runId);
  expect(again).toMatchObject({ status: 'completed', attempt: 2, workflow_id: `run-${runId}~2` });
  expect(again.stages[0]).toMatchObject({ attempt: 1, seconds: expect.any(Number) });
  expect(calls).toEqual(['each', 'after']);
});

test('a long list goes over several runs of the workflow, each item once', async () => {
  const seen: number[] = [];
  does['each'] = ({ input }) => void seen.push(input.n);
  const items = Array.from({ length: 120 }, (_, n) => n);
  const made = pipeline([
    act('before'),
    act('each', { for_each: { items: 'parameters.items', concurrency: 10 } }, { n: '${item}' }),
    act('after'),
  ]);
  const { pipeline_id } = await stand.call(ana, 'pipelines.create', made);
  // As execute does it, with a short history.
  const { admitRun, start } = await import('./short-history.ts');
  const runId = await admitRun(stand.deps, ana, pipeline_id, { parameters: { items } });
  const runs = await start(stand.deps, runId, 150);
  const run = await stand.over(runId);
  expect(run.status).toBe('completed');
  expect(seen.toSorted((a, b) => a - b)).toEqual(items);
  expect(await runs()).toBeGreaterThan(2);
  expect(calls.filter((name) => name !== 'each')).toEqual(['before', 'after']);
});

test('an expression that wants all memory there is fails its stage and nothing else', async () => {
  const eight = (of: string) => Array.from({ length: 8 }, () => of).join(' + ');
  const grown = [1, 2, 3, 4, 5, 6, 7, 8, 9].reduceRight(
    (inner, n) => `cel.bind(v${n}, ${eight(`v${n - 1}`)}, ${inner})`,
    'size(v9) > 0',
  );
  const hostile = `cel.bind(v0, [1.5, 2.5], ${grown})`;
  const stages = [
    act('when', { when: hostile, on_failure: 'continue' }),
    act('list', { for_each: { items: hostile }, on_failure: 'continue' }),
    act('input', { on_failure: 'continue' }, { x: '$' + `{${hostile}}` }),
    act('after'),
  ];
  const run = await stand.over(await stand.execute(ana, pipeline(stages)));
  expect(run.status).toBe('completed');
  for (const { error } of run.stages.slice(0, 3)) {
    expect(error).toMatchObject({
      code: 'invalid_pipeline',
      detail: expect.stringMatching(/takes (longer|more memory) than/),
    });
  }
  expect(calls).toEqual(['after']);
});

test('hundreds of items end, under histories that stay short', async () => {
  const items = Array.from({ length: 400 }, (_, n) => n);
  const each = act('each', { for_each: { items: 'parameters.items', concurrency: 16 } });
  const run = await stand.over(await stand.execute(ana, pipeline([each]), { parameters: { items } }));
  expect(run.stages[0]).toMatchObject({ status: 'completed', attempt: 1, items: { by_status: { completed: 400 } } });
  expect(calls).toHaveLength(400);
  const { temporal } = stand.deps;
  const lengths: (number | undefined)[] = [];
  // Visibility lags behind.
  await vi.waitUntil(
    async () => {
      lengths.length = 0;
      const query = `WorkflowId = '${run.workflow_id}'`;
      for await (const { historyLength } of temporal.workflow.list({ query })) lengths.push(historyLength);
      return lengths.length > 1;
    },
    { timeout: 10_000, interval: 100 },
  );
  for (const length of lengths) expect(length ?? 0).toBeLessThan(2_000);
}, 60_000);

test('retry goes on from what failed, with what is finished left alone', async () => {
  does['bad'] = fails('execution_error');
  const runId = await stand.execute(ana, pipeline([act('first'), act('bad'), act('last')]));
  const failed = await stand.over(runId);
  expect(failed.status).toBe('failed');
  does['bad'] = ({ input }) => ({ got: input.n });
  await stand.call(ana, 'runs.retry', { run_id: runId });
  const run = await stand.over(runId);
  expect(run).toMatchObject({ status: 'completed', attempt: 2, error: null });
  expect(calls).toEqual(['first', 'bad', 'bad', 'last']);
  expect(run.stages[0]).toMatchObject({ attempt: 1, ended_at: failed.stages[0].ended_at });
  await expect(stand.call(ana, 'runs.retry', { run_id: runId })).rejects.toMatchObject({ code: 'conflict' });
});

test('runs keep the version that they began with', async () => {
  const go = Promise.withResolvers<void>();
  does['wait'] = () => go.promise;
  const { pipeline_id } = await stand.call(ana, 'pipelines.create', pipeline([act('wait'), act('old')]));
  const { run_id } = await stand.call(ana, 'pipelines.execute', { pipeline_id });
  await stand.until(run_id, () => calls.includes('wait'));
  const changed = await stand.call(ana, 'pipelines.update', { pipeline_id, ...pipeline([act('new')]) });
  expect(changed.version).toBe(2);
  await expect(stand.call(ana, 'pipelines.delete', { pipeline_id })).rejects.toMatchObject({ code: 'conflict' });
  go.resolve();
  expect(await stand.over(run_id)).toMatchObject({ version: 1, status: 'completed' });
  const next = await stand.call(ana, 'pipelines.execute', { pipeline_id });
  const before = await stand.call(ana, 'pipelines.execute', { pipeline_id, version: 1 });
  expect(await stand.over(next.run_id)).toMatchObject({ version: 2 });
  expect(await stand.over(before.run_id)).toMatchObject({ version: 1 });
  expect(calls.filter((name) => name === 'new')).toHaveLength(1);
  await stand.call(ana, 'pipelines.delete', { pipeline_id });
  await expect(stand.call(ana, 'pipelines.execute', { pipeline_id })).rejects.toMatchObject({ code: 'not_found' });
});

test('an expression that cannot be had fails its stage', async () => {
  const run = await stand.over(await stand.execute(ana, pipeline([act('a', {}, { n: '${parameters.missing}' })])));
  expect(run.error).toMatchObject({
    code: 'invalid_pipeline',
    detail: expect.stringMatching(/^Stage a: input: .*missing/),
  });
});
