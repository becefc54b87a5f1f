/** Retries and timeouts of every workflow, in the server's time: an hour passes in a moment. */
import type { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasServer } from '../../support/servers/index.ts';
import { failing, gaps, INPUT, openStage, type Stage, silence } from './stage.ts';

describe.skipIf(!(await hasServer('temporal-test-server')))('retries and timeouts', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(async () => {
    await stage?.stop();
  });

  /** The failure that a run ends with. */
  async function failure(type: string, input?: object): Promise<{ type?: string; message: string }> {
    const handle = await stage.start(type, input);
    const error = (await handle.result().catch((thrown: unknown) => thrown)) as WorkflowFailedError;
    expect(error.name).toBe('WorkflowFailedError');
    return error.cause as { type?: string; message: string };
  }

  test('what is worth a retry is tried on, ever later, at most half a minute apart', async () => {
    stage.play({
      parseFile: (_input, attempt) => {
        if (attempt <= 8) throw failing('unavailable');
      },
    });
    const handle = await stage.start('ingestFile');
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    const calls = stage.callsOf('parseFile');
    expect(calls).toHaveLength(9);
    const waited = gaps(calls);
    const wanted = [0.5, 1, 2, 4, 8, 16, 30, 30];
    // Each is at least what is asked for and at most a second of our own on top.
    waited.forEach((seconds, n) => {
      expect(seconds).toBeGreaterThanOrEqual((wanted[n] ?? 0) - 0.1);
      expect(seconds).toBeLessThan((wanted[n] ?? 0) + 1);
    });
    expect(stage.callsOf('abandonFile')).toEqual([]);
  });

  test('an outage of an hour is waited out', async () => {
    let first: number | undefined;
    stage.play({
      validateFile: async () => {
        const now = await stage.env.currentTimeMs();
        first ??= now;
        if (now - first < 3_600_000) throw failing('unavailable');
      },
    });
    const handle = await stage.start('ingestFile');
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    expect(stage.callsOf('validateFile').length).toBeGreaterThan(100);
  });

  test('what no retry can help fails at once, and the file is given up with the code', async () => {
    stage.play({
      parseFile: () => {
        throw failing('no_records');
      },
    });
    expect(await failure('ingestFile')).toMatchObject({ type: 'no_records', message: 'it is no_records' });
    expect(stage.callsOf('parseFile')).toHaveLength(1);
    expect(stage.callsOf('indexFile')).toEqual([]);
    expect(stage.callsOf('abandonFile').map(({ input }) => input)).toMatchObject([
      { file_id: 'f', attempt: 1, status: 'failed', error: { code: 'no_records', detail: 'it is no_records' } },
    ]);
  });

  test('a step whose worker fell silent is run again', async () => {
    const silent = silence();
    stage.play({ parseFile: (input, attempt) => (attempt === 1 ? silent.part(input, attempt) : undefined) });
    const handle = await stage.start('ingestFile');
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    silent.release();
    expect(stage.callsOf('parseFile').map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(gaps(stage.callsOf('parseFile'))[0]).toBeGreaterThanOrEqual(10);
  });

  test('fetching from elsewhere is given up after five tries', async () => {
    stage.play({
      fetchFile: () => {
        throw failing('fetch_failed');
      },
    });
    const input = { ...INPUT, import: { url: 'https://files.example/export.zip' } };
    expect(await failure('ingestFile', input)).toMatchObject({ type: 'fetch_failed' });
    expect(stage.callsOf('fetchFile').map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(stage.callsOf('validateFile')).toEqual([]);
    expect(stage.callsOf('abandonFile')[0]?.input.error.code).toBe('fetch_failed');
  });

  test('giving a file up is itself tried until it works', async () => {
    stage.play({
      validateFile: () => {
        throw failing('wrong_type');
      },
      abandonFile: (_input, attempt) => {
        if (attempt <= 4) throw failing('unavailable');
      },
    });
    expect(await failure('ingestFile')).toMatchObject({ type: 'wrong_type' });
    expect(stage.callsOf('abandonFile')).toHaveLength(5);
  });

  test('completing is a local step that is tried until it works', async () => {
    // These retries are the worker's own and take real time.
    stage.play({
      completeFile: () => {
        if (stage.callsOf('completeFile').length <= 4) throw failing('unavailable');
      },
    });
    const handle = await stage.start('ingestFile');
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    expect(stage.callsOf('completeFile')).toHaveLength(5);
  });

  test('deleting is tried until everything is out', async () => {
    stage.play({
      removeFile: (_input, attempt) => {
        if (attempt <= 7) throw failing('unavailable');
      },
    });
    const handle = await stage.start('deleteFile', {
      file_id: 'f',
      owner: 'ana',
      source: 'slack',
      ingest_workflow_id: 'ingest-f',
    });
    expect(await handle.result()).toEqual({ file_id: 'f' });
    expect(stage.callsOf('stopIngestion')).toHaveLength(1);
    expect(stage.callsOf('removeFile')).toHaveLength(8);
    expect(stage.callsOf('removeFile')[0]?.input).toMatchObject({ file_id: 'f', workflow_id: handle.workflowId });
  });

  test.each([
    ['reconcile', 'reconcileRuns'],
    ['sweepStorage', 'sweepStorage'],
    ['catchUpVectors', 'catchUpVectors'],
  ] as const)('%s leaves the retry to the next run of its schedule', async (type, activity) => {
    stage.play({
      [activity]: () => {
        throw failing('unavailable');
      },
    });
    await failure(type);
    expect(stage.callsOf(activity)).toHaveLength(1);
  });
});
