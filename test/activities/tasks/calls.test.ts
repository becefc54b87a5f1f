/** Calls under way: one step begins, another one comes for the answer, and nobody's call is broken off. */
import { expect, test, vi } from 'vitest';
import { createCalls } from '../../../src/activities/tasks/calls.ts';

const attempt = (n: number) => ({ task_id: 't', attempt: n });

test('a second step joins the call of the first and gets its answer', async () => {
  const calls = createCalls('mine');
  const { promise, resolve } = Promise.withResolvers<{ n: number }>();
  const begin = vi.fn(() => promise);
  calls.take(attempt(1), 1_000, begin).leave();
  const second = calls.take(attempt(1), 1_000, begin);
  resolve({ n: 1 });
  expect(await second.answer).toEqual({ n: 1 });
  expect(begin).toHaveBeenCalledTimes(1);
  expect(calls.queue).toBe('mine');
});

test('another attempt is another call, and so is the same one after its answer was dealt with', async () => {
  const calls = createCalls('mine');
  const begin = vi.fn(async () => ({}));
  const first = calls.take(attempt(1), 1_000, begin);
  calls.take(attempt(2), 1_000, begin);
  expect(begin).toHaveBeenCalledTimes(2);
  first.forget();
  calls.take(attempt(1), 1_000, begin);
  expect(begin).toHaveBeenCalledTimes(3);
});

test('what nobody comes for is broken off; who comes in time keeps it', async () => {
  vi.useFakeTimers();
  try {
    const calls = createCalls('mine', 1_000);
    const stopped: string[] = [];
    const begin = (name: string) => (signal: AbortSignal) =>
      new Promise<null>((_, reject) => {
        signal.addEventListener('abort', () => {
          stopped.push(name);
          reject(new Error('stopped'));
        });
      });
    calls.take(attempt(1), 1_000, begin('left')).leave();
    calls.take(attempt(2), 1_000, begin('kept')).leave();
    vi.advanceTimersByTime(900);
    calls.take(attempt(2), 1_000, begin('kept'));
    vi.advanceTimersByTime(5_000);
    expect(stopped).toEqual(['left']);
    // Whoever calls now calls anew.
    const again = vi.fn(async () => null);
    calls.take(attempt(1), 1_000, again);
    expect(again).toHaveBeenCalledTimes(1);
  } finally {
    vi.useRealTimers();
  }
});

test('the end of its attempt breaks a call off, its failure ends nobody, and who comes too late calls nobody', async () => {
  const calls = createCalls('mine');
  const call = calls.take(
    attempt(1),
    1_000,
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  );
  calls.end(attempt(2));
  calls.end(attempt(1));
  await expect(call.answer).rejects.toThrow();
  const begin = vi.fn(async () => ({}));
  await expect(calls.take(attempt(1), 1_000, begin).answer).rejects.toThrow('over');
  expect(begin).not.toHaveBeenCalled();
  calls.take(attempt(2), 1_000, begin);
  expect(begin).toHaveBeenCalledTimes(1);
});
