/** A delivery that fails for a day, in the server's time. */
import type { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitAfter } from '../../../src/activities/notifications/try.ts';
import { hasServer } from '../../support/servers/index.ts';
import { failing, gaps, openStage, type Stage } from './stage.ts';

const INPUT = { notification_id: 'n', owner: 'ana' };
const DAY = 86_400;

describe.skipIf(!(await hasServer('temporal-test-server')))('deliveries', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(async () => {
    await stage?.stop();
  });

  /** What the activity itself decides: how long to wait, and when the day is over. */
  const refused = ({ count, left_seconds }: { count: number; left_seconds: number }) => {
    const wait_seconds = waitAfter(count);
    return { done: false, final: wait_seconds >= left_seconds, wait_seconds, error: `try ${count}` };
  };

  test('it is tried for a day, ever later, and then given up', async () => {
    stage.play({ tryDelivery: refused });
    const handle = await stage.start('deliverNotification', INPUT);
    const error = (await handle.result().catch((thrown: unknown) => thrown)) as WorkflowFailedError;
    expect(error.cause).toMatchObject({ type: 'delivery_failed' });
    const calls = stage.callsOf('tryDelivery');
    const waited = gaps(calls);
    expect(waited.slice(0, 4).map(Math.floor)).toEqual([2, 4, 8, 16]);
    expect(Math.floor(waited.at(-1) ?? 0)).toBe(3600);
    const whole = ((calls.at(-1)?.at ?? 0) - (calls[0]?.at ?? 0)) / 1000;
    expect(whole).toBeGreaterThan(DAY - 3_700);
    expect(whole).toBeLessThanOrEqual(DAY);
    expect(calls.map(({ input }) => input.count)).toEqual(calls.map((_, n) => n + 1));
    expect(stage.callsOf('closeDelivery').map(({ input }) => input)).toMatchObject([
      {
        notification_id: 'n',
        status: 'undelivered',
        error: { code: 'delivery_failed', detail: `try ${calls.length}` },
      },
    ]);
  });

  test('what goes well at last is closed as delivered', async () => {
    stage.play({ tryDelivery: (input) => (input.count < 3 ? refused(input) : { done: true }) });
    const handle = await stage.start('deliverNotification', INPUT);
    expect(await handle.result()).toEqual({ notification_id: 'n' });
    expect(stage.callsOf('closeDelivery').map(({ input }) => input.status)).toEqual(['delivered']);
  });

  test('a receiver that is gone for good ends it at once', async () => {
    stage.play({ tryDelivery: () => ({ done: false, final: true, wait_seconds: 2, error: 'answered 410' }) });
    const handle = await stage.start('deliverNotification', INPUT);
    await expect(handle.result()).rejects.toThrow();
    expect(stage.callsOf('tryDelivery')).toHaveLength(1);
  });

  test('an outage of ours is no try', async () => {
    stage.play({
      tryDelivery: (_input, attempt) => {
        if (attempt < 50) throw failing('unavailable');
        return { done: true };
      },
    });
    const handle = await stage.start('deliverNotification', INPUT);
    expect(await handle.result()).toEqual({ notification_id: 'n' });
    expect(new Set(stage.callsOf('tryDelivery').map(({ input }) => input.count))).toEqual(new Set([1]));
  });
});
