/** A delivery that fails for a day, in the server's time: the real steps, on a real database, against a stand-in receiver. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closeDelivery } from '../../../src/activities/notifications/close.ts';
import { tryDelivery, waitAfter } from '../../../src/activities/notifications/try.ts';
import { createEgress } from '../../../src/clients/egress.ts';
import { deliveryRun } from '../../../src/services/notifications/open.ts';
import { insertNotification } from '../../../src/stores/notifications.ts';
import { insertRun } from '../../../src/stores/runs.ts';
import { hasServer } from '../../support/servers/index.ts';
import { openStand, type Stand } from '../api/stand.ts';
import { failing, gaps, openStage, type Stage } from './stage.ts';

const INPUT = { notification_id: 'n', owner: 'ana' };
const DAY = 86_400;

describe.skipIf(!(await hasServer('temporal-test-server')))('deliveries', () => {
  let stage: Stage;
  let stand: Stand;
  /** How the receiver answers, and what it was sent. */
  let answer: { status: number; headers?: Record<string, string> } = { status: 500 };
  const received: string[] = [];
  const receiver = createServer((request, response) => {
    request.resume().on('end', () => {
      received.push(String(request.headers['webhook-id']));
      response.writeHead(answer.status, answer.headers).end();
    });
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const allow = [`127.0.0.1:${(receiver.address() as AddressInfo).port}`];
    stage = await openStage();
    stand = await openStand({ egress: createEgress({ allow, maxBytes: 1_000_000, timeoutMs: 5_000 }) });
  });
  afterAll(async () => {
    await stage?.stop();
    await stand?.close();
    receiver.closeAllConnections();
    receiver.close();
  });

  /** A notification to the receiver; plays with the real steps. Resolves with what its workflow is started with. */
  async function realDelivery(name: string) {
    const notification_id = `n-${name}`;
    const workflow_id = `notify-${name}`;
    const { port } = receiver.address() as AddressInfo;
    await stand.deps.db.transaction().execute(async (trx) => {
      const row = { notification_id, owner: 'ana', event: 'pipeline.completed' as const, run_id: null, workflow_id };
      const target = {
        kind: 'webhook' as const,
        target: `http://127.0.0.1:${port}/hook`,
        credential: null,
        body: '{}',
      };
      await insertNotification(trx, { ...row, ...target });
      await insertRun(trx, deliveryRun({ notification_id, owner: 'ana', workflow_id, run_id: null }));
    });
    received.length = 0;
    // The server names workflows by itself here.
    const as = (input: object) => ({ ...input, workflow_id }) as never;
    stage.play({
      tryDelivery: (input) => tryDelivery(stand.deps, as(input), new AbortController().signal),
      closeDelivery: (input) => closeDelivery(stand.deps, as(input)),
    });
    return { notification_id, owner: 'ana' };
  }

  const rowOf = (id: string) =>
    stand.deps.db
      .selectFrom('notifications')
      .select(['status', 'attempts', 'last_error', 'next_attempt_at'])
      .where('notification_id', '=', id)
      .executeTakeFirstOrThrow();

  /** What the activity itself decides: how long to wait, and when the day is over. */
  const refused = ({ count, left_seconds }: { count: number; left_seconds: number }) => {
    const wait_seconds = waitAfter(count);
    return { done: false, final: wait_seconds >= left_seconds, wait_seconds, error: `try ${count}` };
  };

  test('it is tried for a day, ever later, and then given up', async () => {
    answer = { status: 500 };
    const delivery = await realDelivery('day');
    const handle = await stage.start('deliverNotification', delivery);
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
    expect(received).toEqual(calls.map(() => delivery.notification_id));
    expect(await rowOf(delivery.notification_id)).toMatchObject({
      status: 'undelivered',
      attempts: calls.length,
      last_error: expect.stringContaining('answered 500'),
      next_attempt_at: null,
    });
  });

  test('a receiver that asks for more time gets it, and is tried again then', async () => {
    answer = { status: 503, headers: { 'retry-after': '7200' } };
    const delivery = await realDelivery('later');
    const handle = await stage.start('deliverNotification', delivery);
    await expect.poll(() => received.length).toBe(1);
    await expect.poll(async () => (await rowOf(delivery.notification_id)).attempts).toBe(1);
    answer = { status: 204 };
    expect(await handle.result()).toEqual({ notification_id: delivery.notification_id });
    const [first, ...others] = gaps(stage.callsOf('tryDelivery'));
    expect([Math.floor(first ?? 0), others]).toEqual([7200, []]);
    expect(await rowOf(delivery.notification_id)).toMatchObject({ status: 'delivered', attempts: 2 });
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
