/** Pausing, resuming and cancelling an ingestion, over days and at awkward moments. */
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IngestProgress } from '../../../src/schema/ingestion.ts';
import { MESSAGES } from '../../../src/schema/names.ts';
import { hasServer, startDevServer } from '../../support/servers/index.ts';
import { failing, INPUT, openStage, type Stage, silence, untilAsked } from './stage.ts';

const running = (stage: Stage, name: Parameters<Stage['callsOf']>[0], times = 1) =>
  expect.poll(() => stage.callsOf(name).length, { timeout: 20_000, interval: 20 }).toBe(times);
const pause = (handle: WorkflowHandle) => handle.executeUpdate<string, []>(MESSAGES.pause);
const resume = (handle: WorkflowHandle) => handle.executeUpdate<string, []>(MESSAGES.resume);
const progress = (handle: WorkflowHandle) => handle.query<IngestProgress, []>(MESSAGES.progress);
const over = (handle: WorkflowHandle) => handle.result().catch((error: Error) => error.cause?.constructor.name);

describe.skipIf(!(await hasServer('temporal-test-server')))('steering', { timeout: 25_000 }, () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(async () => {
    await stage?.stop();
  });

  test('what is paused stays paused for a month, and then goes on', async () => {
    stage.play({ parseFile: () => (stage.callsOf('parseFile').length === 1 ? untilAsked() : undefined) });
    const handle = await stage.start('ingestFile');
    await running(stage, 'parseFile');
    expect(await pause(handle)).toBe('paused');
    const before = await stage.env.currentTimeMs();
    await stage.env.sleep('30 days');
    expect((await stage.env.currentTimeMs()) - before).toBeGreaterThanOrEqual(30 * 86_400_000);
    expect(await progress(handle)).toMatchObject({ status: 'paused', phase: 'processing' });
    expect(stage.calls.map(({ name }) => name)).toEqual(['validateFile', 'parseFile', 'setPaused']);
    expect(await resume(handle)).toBe('processing');
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    expect(stage.calls.map(({ name }) => name)).toEqual([
      ...['validateFile', 'parseFile', 'setPaused', 'setPaused', 'parseFile', 'indexFile', 'completeFile'],
    ]);
    expect(stage.callsOf('setPaused').map(({ input }) => input.paused)).toEqual([true, false]);
  });

  test('cancelling what is paused gives it up as cancelled', async () => {
    stage.play({ parseFile: untilAsked });
    const handle = await stage.start('ingestFile');
    await running(stage, 'parseFile');
    expect(await pause(handle)).toBe('paused');
    await handle.cancel();
    expect(await over(handle)).toBe('CancelledFailure');
    expect(stage.callsOf('abandonFile').map(({ input }) => input)).toMatchObject([
      { status: 'cancelled', error: null },
    ]);
    expect((await handle.describe()).status.name).toBe('CANCELLED');
  });

  test('cancelling a running step waits for it and gives the file up once', async () => {
    stage.play({ parseFile: untilAsked });
    const handle = await stage.start('ingestFile');
    await running(stage, 'parseFile');
    await handle.cancel();
    expect(await over(handle)).toBe('CancelledFailure');
    expect(stage.calls.map(({ name }) => name)).toEqual(['validateFile', 'parseFile', 'abandonFile']);
  });

  test('a failure while pausing is a failure', async () => {
    stage.play({
      parseFile: async () => {
        await untilAsked();
        throw failing('malformed');
      },
    });
    const handle = await stage.start('ingestFile');
    await running(stage, 'parseFile');
    expect(await pause(handle)).toBe('failed');
    expect(await over(handle)).toBe('ApplicationFailure');
    expect(stage.callsOf('abandonFile')[0]?.input).toMatchObject({ status: 'failed', error: { code: 'malformed' } });
  });

  test('a pause that comes too late is answered with how it ended', async () => {
    const held = silence();
    stage.play({ completeFile: held.part });
    const handle = await stage.start('ingestFile');
    await running(stage, 'completeFile');
    const answer = pause(handle);
    await new Promise((resolve) => setTimeout(resolve, 300));
    held.release();
    expect(await answer).toBe('completed');
    await handle.result();
  });

  test('a pause that a cancellation overtakes is answered', async () => {
    const held = silence();
    stage.play({
      parseFile: async (input, attempt) => {
        const ask = untilAsked();
        await held.part(input, attempt);
        return ask;
      },
    });
    const handle = await stage.start('ingestFile');
    await running(stage, 'parseFile');
    const answer = pause(handle);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await handle.cancel();
    await new Promise((resolve) => setTimeout(resolve, 300));
    held.release();
    expect(await answer).toBe('cancelled');
    expect(await over(handle)).toBe('CancelledFailure');
  });

  test('a pause that a resume overtakes is answered before the step is over', async () => {
    const step = silence();
    let asked = 0;
    stage.play({
      parseFile: async (input, attempt) => {
        asked += 1;
        if (asked > 1) return step.part(input, attempt);
        await untilAsked();
        await new Promise((resolve) => setTimeout(resolve, 500));
        return { done: false, checkpoint: {} };
      },
    });
    const handle = await stage.start('ingestFile');
    await running(stage, 'parseFile');
    const paused = pause(handle);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await resume(handle)).toBe('processing');
    expect(await paused).toBe('processing');
    await running(stage, 'parseFile', 2);
    step.release();
    // The released part answers null, which is no word about being done: the step is asked again.
    stage.play({});
    expect(await handle.result()).toMatchObject({ status: 'completed' });
  });

  test('a second pause right behind a resume holds', async () => {
    const resumed = silence();
    stage.play({
      parseFile: () => (stage.callsOf('parseFile').length === 1 ? untilAsked() : undefined),
      setPaused: (input, attempt) =>
        input.paused || stage.callsOf('setPaused').length > 2 ? undefined : resumed.part(input, attempt),
    });
    const handle = await stage.start('ingestFile');
    await running(stage, 'parseFile');
    expect(await pause(handle)).toBe('paused');
    const going = resume(handle);
    await running(stage, 'setPaused', 2);
    await handle.signal(MESSAGES.pause);
    // A local step this long lets the workflow see what came meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    resumed.release();
    await running(stage, 'setPaused', 3);
    expect(['paused', 'processing']).toContain(await going);
    await stage.env.sleep('1 day');
    expect(await progress(handle)).toMatchObject({ status: 'paused' });
    expect(stage.callsOf('parseFile')).toHaveLength(1);
    expect(await resume(handle)).toBe('processing');
    expect(await handle.result()).toMatchObject({ status: 'completed' });
  });

  test('an import can be cancelled while it is being fetched', async () => {
    stage.play({ fetchFile: untilAsked });
    const handle = await stage.start('ingestFile', { ...INPUT, import: { url: 'https://files.example/export.zip' } });
    await running(stage, 'fetchFile');
    await handle.cancel();
    expect(await over(handle)).toBe('CancelledFailure');
    expect(stage.calls.map(({ name }) => name)).toEqual(['fetchFile', 'abandonFile']);
  });
});

// The server that skips time leaves an activity alone once it is asked to stop; a real one notices that it is silent.
describe.skipIf(!(await hasServer('temporal')))('steering on a real server', { timeout: 40_000 }, () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(startDevServer);
  });
  afterAll(async () => {
    await stage?.stop();
  });

  test('a worker that dies while it is asked to stop pauses all the same', async () => {
    const silent = silence();
    stage.play({
      parseFile: (input, n) => (stage.callsOf('parseFile').length === 1 ? silent.part(input, n) : undefined),
    });
    const handle = await stage.start('ingestFile');
    await running(stage, 'parseFile');
    expect(await pause(handle)).toBe('paused');
    silent.release();
    expect(await resume(handle)).toBe('processing');
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    expect(stage.callsOf('parseFile')).toHaveLength(2);
    expect(stage.callsOf('abandonFile')).toEqual([]);
  });
});
