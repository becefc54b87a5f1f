/** What follows from the end of an attempt. */
import { describe, expect, test } from 'vitest';
import { MAX_LOST } from '../../../src/schema/tasks.ts';
import { backoff, decide, type Standing } from '../../../src/stores/task-decisions.ts';

const task: Standing = { timeout_seconds: 60, retry_count: 3, retries: 0, lost: 0, agent_id: 'a' };
const error = { code: 'agent_failed', detail: 'no' };

describe('the end of an attempt', () => {
  test('backs off for a second, doubled each time, at most a minute', () => {
    expect([0, 1, 2, 5, 6, 19].map(backoff)).toEqual([1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
  });

  test('a failure uses up a retry and passes the agent over', () => {
    expect(decide({ ...task, retries: 2 }, { kind: 'failed', error, retryable: true })).toMatchObject({
      status: 'retrying',
      attempt_status: 'failed',
      retries: 3,
      lost: 0,
      backoff_ms: 4_000,
      exclude: true,
      error,
    });
  });

  test('without a retry left, or when no retry helps, it has failed', () => {
    expect(decide({ ...task, retries: 3 }, { kind: 'failed', error, retryable: true }).status).toBe('failed');
    expect(decide(task, { kind: 'failed', error, retryable: false }).status).toBe('failed');
    expect(decide({ ...task, retry_count: 0 }, { kind: 'timeout' })).toMatchObject({
      status: 'failed',
      attempt_status: 'timed_out',
      error: { code: 'timeout' },
    });
  });

  test('an agent that went away costs no retry, goes on at once the first time, and not without end', () => {
    const lost = { kind: 'lost', detail: 'gone' } as const;
    expect(decide({ ...task, retry_count: 0 }, lost)).toMatchObject({
      status: 'retrying',
      retries: 0,
      lost: 1,
      backoff_ms: 0,
      exclude: true,
    });
    expect(decide({ ...task, lost: 3 }, lost)).toMatchObject({ status: 'retrying', backoff_ms: 4_000 });
    expect(decide({ ...task, lost: MAX_LOST }, lost)).toMatchObject({
      status: 'failed',
      error: { code: 'agent_lost' },
    });
  });

  test('a pause that an agent asked for is kept to when there is nobody else, and not for more than a minute', () => {
    const later = (pause_ms: number) => ({ kind: 'lost', detail: 'not now', pause_ms }) as const;
    expect(decide(task, later(7_000))).toMatchObject({ status: 'retrying', retries: 0, lost: 1, backoff_ms: 7_000 });
    expect(decide({ ...task, others: true }, later(7_000)).backoff_ms).toBe(0);
    expect(decide({ ...task, lost: 5 }, later(7_000)).backoff_ms).toBe(16_000);
    expect(decide(task, later(86_400_000)).backoff_ms).toBe(60_000);
    expect(decide({ ...task, lost: MAX_LOST }, later(7_000))).toMatchObject({ status: 'failed', backoff_ms: 0 });
  });

  test('the house itself is never passed over', () => {
    const builtin = { ...task, agent_id: null };
    expect(decide(builtin, { kind: 'failed', error, retryable: true }).exclude).toBe(false);
  });
});
