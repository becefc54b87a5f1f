/** Deadlines of approvals, backoff between tries, timeouts and dead workers of a run, in the server's time. */
import type { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpenedRun, StagePlan } from '../../../src/schema/pipeline-flow.ts';
import { hasServer } from '../../support/servers/index.ts';
import { failing, gaps, openStage, type Stage, silence } from './stage.ts';

const INPUT = { run_id: 'r', pipeline_id: 'p', owner: 'ana', attempt: 1 };
const PLAN: StagePlan = {
  name: 'one',
  needs: [],
  on_failure: 'fail',
  compensate: null,
  required: true,
  compensates: false,
  timeout_seconds: 600,
  max_attempts: 1,
  backoff_seconds: 1,
  concurrency: 4,
  approval: false,
};

/** A run of these stages that has not begun. */
const opened = (...plans: Partial<StagePlan>[]): OpenedRun => ({
  plan: plans.map((plan) => ({ ...PLAN, ...plan })),
  states: plans.map(() => ({ status: 'pending', attempt: 0, error: null })),
});
const runs = { action: 'run', way: 'builtin', items: null, over: [] };

describe.skipIf(!(await hasServer('temporal-test-server')))('runs of pipelines', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(async () => {
    await stage?.stop();
  });

  const failure = async (): Promise<{ type?: string; message: string }> => {
    const handle = await stage.start('runPipeline', INPUT);
    const error = (await handle.result().catch((thrown: unknown) => thrown)) as WorkflowFailedError;
    expect(error.name).toBe('WorkflowFailedError');
    return error.cause as { type?: string; message: string };
  };

  const waiting = (seconds: number, on_timeout: 'reject' | 'approve') => ({
    openRun: () => opened({ approval: true }),
    planStage: () => runs,
    openApproval: async () => ({
      approval_id: 'a',
      deadline: (await stage.env.currentTimeMs()) + seconds * 1000,
      on_timeout,
      status: 'pending',
    }),
    settleApproval: ({ approve }: { approve: boolean }) => ({
      accepted: true,
      status: approve ? 'approved' : 'expired',
    }),
  });

  test('an approval that nobody decides fails its stage at its deadline, a week later', async () => {
    stage.play(waiting(7 * 86_400, 'reject'));
    const before = await stage.env.currentTimeMs();
    expect(await failure()).toMatchObject({ type: 'approval_expired', message: 'Stage one: Nobody decided in time' });
    const [settled] = stage.callsOf('settleApproval');
    expect(settled?.input).toMatchObject({ approval_id: 'a', decision: 'expire', approve: false });
    expect(((settled?.at ?? 0) - before) / 1000).toBeGreaterThanOrEqual(7 * 86_400 - 5);
    expect(stage.callsOf('runStage')).toEqual([]);
    expect(stage.callsOf('closePipelineRun').map(({ input }) => input.status)).toEqual(['failed']);
  });

  test('or lets it run, when the stage says so', async () => {
    stage.play(waiting(3_600, 'approve'));
    const handle = await stage.start('runPipeline', INPUT);
    expect(await handle.result()).toEqual({ run_id: 'r', status: 'completed' });
    expect(stage.callsOf('runStage')).toHaveLength(1);
  });

  test('a compensating stage that nobody approves is not run, whatever else fails meanwhile', async () => {
    stage.play({
      ...waiting(7 * 86_400, 'reject'),
      openRun: () => {
        const { plan, states } = opened(
          { on_failure: 'compensate', compensate: 1 },
          { name: 'undo', compensates: true, approval: true },
        );
        return { plan, states: [states[0], { status: 'skipped', attempt: 0, error: null }] };
      },
      runStage: () => {
        throw failing('sql_denied');
      },
    });
    const before = await stage.env.currentTimeMs();
    expect(await failure()).toMatchObject({ type: 'sql_denied' });
    expect(stage.callsOf('runStage').map(({ input }) => input.stage)).toEqual([0]);
    const [settled] = stage.callsOf('settleApproval');
    expect(((settled?.at ?? 0) - before) / 1000).toBeGreaterThanOrEqual(7 * 86_400 - 5);
    expect(stage.callsOf('settleStage').at(-1)?.input).toMatchObject({
      stage: 1,
      status: 'failed',
      error: { code: 'approval_expired' },
    });
  });

  test('a decision at the last moment counts, and is asked for once', async () => {
    stage.play({
      ...waiting(60, 'reject'),
      settleApproval: ({ decision }: { decision: string }) => ({
        accepted: true,
        status: decision === 'approve' ? 'approved' : 'expired',
      }),
    });
    const handle = await stage.start('runPipeline', INPUT);
    const decision = { approval_id: 'a', decision: 'approve', by: 'boss', comment: null };
    expect(await handle.executeUpdate('decide', { args: [decision] })).toEqual({ accepted: true, status: 'approved' });
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    expect(stage.callsOf('settleApproval')).toHaveLength(1);
  });

  test('tries are ever further apart, and no more than the stage allows', async () => {
    stage.play({
      openRun: () => opened({ max_attempts: 4, backoff_seconds: 60 }),
      planStage: () => runs,
      runStage: () => {
        throw failing('execution_error');
      },
    });
    expect(await failure()).toMatchObject({ type: 'execution_error' });
    const calls = stage.callsOf('runStage');
    expect(calls.map(({ input }) => input.try)).toEqual([1, 2, 3, 4]);
    expect(gaps(calls).map(Math.floor)).toEqual([60, 120, 240]);
    expect(stage.callsOf('settleStage').map(({ input }) => input.status)).toEqual([
      'retrying',
      'retrying',
      'retrying',
      'failed',
    ]);
  });

  test('what may never be tried again is not', async () => {
    stage.play({
      openRun: () => opened({ max_attempts: 4 }),
      planStage: () => runs,
      runStage: () => {
        throw failing('sql_denied');
      },
    });
    expect(await failure()).toMatchObject({ type: 'sql_denied' });
    expect(stage.callsOf('runStage')).toHaveLength(1);
  });

  test('a worker that dies costs no try of the stage', async () => {
    const silent = silence();
    stage.play({
      openRun: () => opened({}),
      planStage: () => runs,
      runStage: (input, attempt) => (attempt === 1 ? silent.part(input, attempt) : null),
    });
    const handle = await stage.start('runPipeline', INPUT);
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    silent.release();
    expect(stage.callsOf('runStage').map(({ input, attempt }) => [input.try, attempt])).toEqual([
      [1, 1],
      [1, 2],
    ]);
  });

  test('a task that somebody else started is waited for over as many runs of the workflow as it takes', async () => {
    // Its workflow is there, so that the run's own start of it is refused.
    stage.play({});
    const task = await stage.start('runTask', { task_id: 't', owner: 'ana', attempt: 1, timeout_seconds: 60 });
    await task.terminate();
    const waits = 5;
    stage.play({
      openRun: () => {
        const { plan, states } = opened({});
        const status = stage.callsOf('openStageTask').length > 0 ? 'running' : 'pending';
        return { plan, states: states.map((state) => ({ ...state, status, attempt: status === 'running' ? 1 : 0 })) };
      },
      planStage: () => ({ ...runs, way: 'task' }),
      openStageTask: () => ({ workflow_id: task.workflowId, input: {}, owner: 'ana', resource: 'task:t' }),
      closeStageTask: () =>
        stage.callsOf('awaitStageTask').length < waits
          ? null
          : { task_id: 't', status: 'completed', attempts: 1, error: null },
    });
    const handle = await stage.start('runPipeline', { ...INPUT, history_limit: 10 });
    expect(await handle.result()).toEqual({ run_id: 'r', status: 'completed' });
    expect(stage.callsOf('awaitStageTask').map(({ input }) => input)).toEqual(
      Array.from({ length: waits }, () => ({ task_id: task.workflowId })),
    );
    // One wait in each run of the workflow, and always for the same try.
    expect(stage.callsOf('openStageTask').map(({ input }) => input.try)).toEqual(
      Array.from({ length: waits }, () => 1),
    );
    expect((await handle.fetchHistory()).events?.length).toBeLessThan(40);
  });

  test('a try that took longer than it may counts, and is not repeated by the engine', async () => {
    stage.play({
      openRun: () => opened({ max_attempts: 2, backoff_seconds: 10 }),
      planStage: () => runs,
      runStage: () => {
        throw ApplicationFailure.nonRetryable('It took more than 600 seconds', 'timeout');
      },
    });
    expect(await failure()).toMatchObject({ type: 'timeout', message: 'Stage one: It took more than 600 seconds' });
    expect(stage.callsOf('runStage').map(({ attempt }) => attempt)).toEqual([1, 1]);
  });
});
