/** `runTask` in the server's time: leases, timeouts, backoff and patience, with activities that a test scripts. */

import { Context } from '@temporalio/activity';
import type { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { QUEUES } from '../../../src/schema/names.ts';
import type { NextStep, RunTaskInput, TaskReportAnswer, TaskTurn } from '../../../src/schema/task-flow.ts';
import { hasServer } from '../../support/servers/index.ts';
import { failing, gaps, openStage, type Stage, silence } from './stage.ts';

const INPUT: RunTaskInput = { task_id: 't', owner: 'ana', attempt: 1, timeout_seconds: 600, assigned: true };
const completed: TaskTurn = { kind: 'over', next: { status: 'completed', attempt: 1, error: null } };
const failedStep: NextStep = { status: 'failed', attempt: 1, error: { code: 'agent_failed', detail: 'no' } };
const retrying = (attempt: number, backoff_ms: number): TaskTurn => ({
  kind: 'over',
  next: { status: 'retrying', attempt, backoff_ms },
});
const working = (look_in_ms: number): TaskTurn => ({ kind: 'working', look_in_ms });
const report = (attempt: number) => ({
  attempt,
  agent_id: 'a',
  outcome: 'completed' as const,
  completion_id: '8a6e0804-2bd0-4672-b79d-d97027f9071a',
});

describe.skipIf(!(await hasServer('temporal-test-server')))('tasks in time', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(async () => {
    await stage?.stop();
  });
  beforeEach(() => stage.play({}));

  const start = (over: Partial<RunTaskInput> = {}) => stage.start('runTask', { ...INPUT, ...over });

  test('an agent that answers at once takes one activity', async () => {
    stage.play({ beginAttempt: () => completed });
    const handle = await start();
    expect(await handle.result()).toEqual({ task_id: 't', status: 'completed', attempts: 1, error: null });
    expect(stage.calls.map(({ name }) => name)).toEqual(['beginAttempt']);
    expect(stage.calls[0]?.input).toEqual({ task_id: 't', attempt: 1, workflow_id: handle.workflowId });
    expect((await handle.fetchHistory()).events?.length).toBeLessThanOrEqual(12);
  });

  test('each retry waits as long as it was told to, and names its attempt', async () => {
    const waits = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
    stage.play({
      beginAttempt: ({ attempt }) => {
        const wait = waits[attempt - 1];
        return wait === undefined
          ? { kind: 'over', next: { ...completed, status: 'completed', attempt, error: null } }
          : retrying(attempt + 1, wait);
      },
    });
    const handle = await start();
    expect(await handle.result()).toMatchObject({ status: 'completed', attempts: 9 });
    const calls = stage.callsOf('beginAttempt');
    expect(calls.map(({ input }) => input.attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    gaps(calls).forEach((seconds, n) => {
      expect(seconds).toBeGreaterThanOrEqual((waits[n] ?? 0) / 1000 - 0.1);
      expect(seconds).toBeLessThan((waits[n] ?? 0) / 1000 + 1);
    });
  });

  test('a silent agent is looked after when its lease runs out, asked once, and then lost', async () => {
    stage.play({
      beginAttempt: ({ attempt }) => (attempt === 1 ? working(60_000) : completed),
      lookAfter: () => ({ kind: 'quiet' }),
      askQuietAgent: () => retrying(2, 0),
    });
    const handle = await start();
    await handle.result();
    expect(stage.calls.map(({ name }) => name)).toEqual(['beginAttempt', 'lookAfter', 'askQuietAgent', 'beginAttempt']);
    expect(
      gaps([...stage.callsOf('beginAttempt').slice(0, 1), ...stage.callsOf('lookAfter')])[0],
    ).toBeGreaterThanOrEqual(59.9);
  });

  test('an agent that says it works on keeps its attempt, lease after lease', async () => {
    let looks = 0;
    stage.play({
      beginAttempt: () => working(60_000),
      lookAfter: () => (++looks < 40 ? working(60_000) : completed),
    });
    const handle = await start();
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    expect(looks).toBe(40);
  });

  test('a report ends the attempt at once, and is answered when it is over', async () => {
    stage.play({
      beginAttempt: () => working(3_600_000),
      finishAttempt: () => ({ status: 'completed', attempt: 1, error: null }),
    });
    const handle = await start();
    await expect.poll(() => stage.callsOf('beginAttempt').length).toBe(1);
    const answer = await handle.executeUpdate<TaskReportAnswer, [object]>('report', {
      args: [report(1)],
      updateId: 't/1',
    });
    expect(answer).toEqual({ accepted: true, status: 'completed' });
    expect(stage.callsOf('finishAttempt').map(({ input }) => input)).toMatchObject([{ cause: 'reported', attempt: 1 }]);
    await handle.result();
  });

  test('a report of another attempt is not taken', async () => {
    stage.play({
      beginAttempt: () => working(3_600_000),
      finishAttempt: () => ({ status: 'completed', attempt: 1, error: null }),
    });
    const handle = await start();
    for (const attempt of [0, 2]) {
      const answer = await handle.executeUpdate<TaskReportAnswer, [object]>('report', { args: [report(attempt)] });
      expect(answer.accepted).toBe(false);
    }
    expect(stage.callsOf('finishAttempt')).toEqual([]);
    await handle.executeUpdate('report', { args: [report(1)] });
    await handle.result();
  });

  test('a task that waits does nothing until it is told, but does look after itself', async () => {
    let begun = 0;
    stage.play({ beginAttempt: () => (++begun < 3 ? { kind: 'waiting' } : completed) });
    const handle = await start({ assigned: false });
    const started = await stage.env.currentTimeMs();
    await handle.result();
    const calls = stage.callsOf('beginAttempt');
    expect(Math.round(((calls[0]?.at ?? 0) - started) / 1000)).toBeGreaterThanOrEqual(115);
    expect(gaps(calls).map((seconds) => Math.round(seconds / 60))).toEqual([4, 8]);
  });

  test('a task that was fetched is looked after without another call', async () => {
    stage.play({ lookAfter: () => completed });
    const handle = await start({ assigned: false });
    await handle.signal('assigned', { attempt: 1, working: true });
    await handle.result();
    expect(stage.calls.map(({ name }) => name)).toEqual(['lookAfter']);
  });

  test('the built-in executor does it, after the queue', async () => {
    stage.play({ beginAttempt: () => ({ kind: 'builtin' }), runBuiltin: () => completed });
    await (await start()).result();
    expect(stage.calls.map(({ name }) => name)).toEqual(['beginAttempt', 'runBuiltin']);
  });

  test('a step that nobody can do ends the attempt with its reason', async () => {
    stage.play({
      beginAttempt: () => {
        throw failing('invalid_input');
      },
      finishAttempt: () => failedStep,
    });
    const handle = await start();
    const error = (await handle.result().catch((thrown: unknown) => thrown)) as WorkflowFailedError;
    expect(error.cause).toMatchObject({ type: 'agent_failed', message: 'no' });
    expect(stage.callsOf('finishAttempt')[0]?.input).toMatchObject({
      cause: 'broken',
      error: { code: 'invalid_input', detail: 'it is invalid_input' },
    });
  });

  test.each([
    ['while it waits', { assigned: false }, {}, 0],
    ['while an agent works', {}, { beginAttempt: () => working(3_600_000) }, 1],
    ['during a backoff', {}, { beginAttempt: () => retrying(2, 60_000) }, 1],
  ])('cancelled %s, it frees its slot, tells the agent and is cancelled', async (_when, over, parts, told) => {
    stage.play({ ...parts, finishAttempt: ({ attempt }) => ({ status: 'cancelled', attempt, error: null }) });
    const handle = await start(over);
    if ('beginAttempt' in parts) await expect.poll(() => stage.callsOf('beginAttempt').length).toBe(1);
    await handle.cancel();
    const error = (await handle.result().catch((thrown: unknown) => thrown)) as WorkflowFailedError;
    expect(error.cause?.name).toBe('CancelledFailure');
    expect(stage.callsOf('finishAttempt').map(({ input }) => input.cause)).toEqual(['cancelled']);
    expect(stage.callsOf('tellCancelled')).toHaveLength(told);
  });

  test('a cancellation that comes after the last word is too late', async () => {
    stage.play({
      beginAttempt: () => working(3_600_000),
      finishAttempt: () => ({ status: 'completed', attempt: 1, error: null }),
    });
    const handle = await start();
    await expect.poll(() => stage.callsOf('beginAttempt').length).toBe(1);
    await handle.cancel();
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    expect(stage.callsOf('tellCancelled')).toEqual([]);
  });

  test('a long one continues as new and still takes one report', async () => {
    let looks = 0;
    stage.play({
      beginAttempt: () => working(60_000),
      lookAfter: () => (++looks < 10 ? working(60_000) : working(3_600_000)),
      finishAttempt: () => ({ status: 'completed', attempt: 1, error: null }),
    });
    const handle = await start({ history_limit: 20 });
    const first = (await handle.describe()).runId;
    while (looks < 10) await stage.env.sleep('1 minute');
    const again = stage.env.client.workflow.getHandle(handle.workflowId);
    expect((await again.describe()).runId).not.toBe(first);
    const answers = [
      await again.executeUpdate<TaskReportAnswer, [object]>('report', { args: [report(1)], updateId: 't/1' }),
    ];
    expect(answers).toEqual([{ accepted: true, status: 'completed' }]);
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    expect(stage.callsOf('beginAttempt')).toHaveLength(1);
    expect(stage.callsOf('finishAttempt')).toHaveLength(1);
  });

  test('an attempt begins in place; a call whose process is gone is made again by any other', async () => {
    const places: string[] = [];
    stage.play({
      beginAttempt: () => {
        const { isLocal, taskQueue } = Context.current().info;
        places.push(isLocal ? 'in place' : taskQueue);
        return isLocal ? { kind: 'calling', queue: 'of-a-dead-process' } : completed;
      },
    });
    const handle = await start({ in_place: true });
    expect(await handle.result()).toMatchObject({ status: 'completed', attempts: 1 });
    expect(places).toEqual(['in place', QUEUES.agents]);
    // Time for the process to come for it, and not more.
    expect(gaps(stage.calls)[0]).toBeCloseTo(10, 0);
  });

  // Last: the server skips no more time once a workflow has left an activity behind.
  test('an agent that is gone ends the attempt while it is being called', async () => {
    const silent = silence();
    stage.play({
      beginAttempt: (input, attempt) => (input.attempt === 1 ? silent.part(input, attempt) : completed),
      finishAttempt: () => ({ status: 'retrying', attempt: 2, backoff_ms: 0 }),
    });
    const handle = await start();
    await expect.poll(() => stage.callsOf('beginAttempt').length).toBe(1);
    await handle.signal('agentLost', { attempt: 1 });
    // A second one, of the same attempt, changes nothing.
    await handle.signal('agentLost', { attempt: 1 });
    await handle.result();
    silent.release();
    expect(stage.callsOf('finishAttempt').map(({ input }) => input.cause)).toEqual(['lost']);
    expect(stage.callsOf('beginAttempt').map(({ input }) => input.attempt)).toEqual([1, 2]);
  });
});
