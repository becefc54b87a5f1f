/** The workflow that watches agents, in the server's time: a worker that dies is replaced at once, and nothing blocks the next run. */
import type { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasServer } from '../../support/servers/index.ts';
import { failing, gaps, openStage, type Stage, silence } from '../time/stage.ts';

const WATCHED = { rounds: 3, last: { agents: 1, changed: 0, lost: 0 } };

describe.skipIf(!(await hasServer('temporal-test-server')))('watchAgents', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.stop());

  test('one activity, whose word is the result', async () => {
    stage.play({ watchAgents: () => WATCHED });
    expect(await (await stage.start('watchAgents')).result()).toEqual(WATCHED);
    expect(stage.calls).toHaveLength(1);
  });

  test('a worker that falls silent is noticed after 10 s, and another goes on', async () => {
    const silent = silence();
    stage.play({ watchAgents: (_input, attempt) => (attempt === 1 ? silent.part(null, 1) : WATCHED) });
    expect(await (await stage.start('watchAgents')).result()).toEqual(WATCHED);
    silent.release();
    const [waited] = gaps(stage.callsOf('watchAgents'));
    expect(waited).toBeGreaterThanOrEqual(10);
    expect(waited).toBeLessThan(12);
  });

  test('a worker that stops hands over within a second or so', async () => {
    stage.play({
      watchAgents: (_input, attempt) => {
        if (attempt === 1) throw failing('unavailable');
        return WATCHED;
      },
    });
    await (await stage.start('watchAgents')).result();
    const [waited] = gaps(stage.callsOf('watchAgents'));
    expect(waited).toBeLessThan(1.5);
  });

  test('what cannot succeed ends after 3 minutes and lets the next run begin', async () => {
    stage.play({
      watchAgents: () => {
        throw failing('unavailable');
      },
    });
    const error = (await (await stage.start('watchAgents')).result().catch((thrown) => thrown)) as WorkflowFailedError;
    expect(error.name).toBe('WorkflowFailedError');
    const calls = stage.callsOf('watchAgents');
    const lasted = ((calls.at(-1)?.at ?? 0) - (calls[0]?.at ?? 0)) / 1000;
    expect(lasted).toBeGreaterThan(150);
    expect(lasted).toBeLessThanOrEqual(180);
  });
});
