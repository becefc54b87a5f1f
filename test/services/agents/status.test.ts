/** What a status follows from: missed heartbeats, health checks, load, and being asked to drain. */
import { describe, expect, test } from 'vitest';
import { type Signs, statusOf } from '../../../src/services/agents/status.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const INTERVAL = 15;
const ago = (beats: number) => new Date(NOW - beats * INTERVAL * 1000);

/** A well agent that heartbeated just now, unless told. */
function signs(over: Partial<Signs> = {}): Signs {
  return {
    draining: false,
    current_load: 0,
    last_heartbeat: ago(0),
    beats: true,
    answered_at: null,
    health: null,
    ...over,
  };
}
const health = (failures: number) => ({
  ok: failures === 0,
  failures,
  latency_ms: 5,
  checked_at: new Date(NOW).toISOString(),
});
const status = (over: Partial<Signs>) => statusOf(signs(over), NOW, INTERVAL);

describe('heartbeats', () => {
  test.each([
    [0, 'active'],
    [1, 'active'],
    [1.99, 'active'],
    [2, 'degraded'],
    [2.99, 'degraded'],
    [3, 'unhealthy'],
    [3.99, 'unhealthy'],
    [4, 'offline'],
    [1000, 'offline'],
  ])('%d intervals ago: %s', (beats, expected) => {
    expect(status({ last_heartbeat: ago(beats) })).toBe(expected);
    // One that never sent any is measured from its registration.
    expect(status({ last_heartbeat: ago(beats), beats: false })).toBe(expected);
  });

  test('a clock that is ahead of ours is no missed heartbeat', () => {
    expect(status({ last_heartbeat: ago(-10) })).toBe('active');
  });
});

describe('health checks', () => {
  test.each([
    [0, 'active'],
    [1, 'degraded'],
    [2, 'degraded'],
    [3, 'unhealthy'],
    [50, 'unhealthy'],
  ])('%d failures in a row: %s', (failures, expected) => {
    expect(status({ health: health(failures) })).toBe(expected);
  });

  test.each([
    // Heartbeats missed by one that used to send them; a good answer then only keeps it from being offline.
    [{ beats: true, last_heartbeat: ago(2), answered_at: ago(0) }, 'degraded'],
    [{ beats: true, last_heartbeat: ago(9), answered_at: ago(0) }, 'unhealthy'],
    [{ beats: true, last_heartbeat: ago(9), answered_at: ago(3.9) }, 'unhealthy'],
    [{ beats: true, last_heartbeat: ago(9), answered_at: ago(4) }, 'offline'],
    // One that never sends them lives by its answers.
    [{ beats: false, last_heartbeat: ago(900), answered_at: ago(0) }, 'active'],
    [{ beats: false, last_heartbeat: ago(900), answered_at: ago(2) }, 'degraded'],
    [{ beats: false, last_heartbeat: ago(900), answered_at: ago(3) }, 'unhealthy'],
    [{ beats: false, last_heartbeat: ago(900), answered_at: ago(4) }, 'offline'],
    [{ beats: false, last_heartbeat: ago(900), answered_at: ago(0.5), health: health(1) }, 'degraded'],
    [{ beats: false, last_heartbeat: ago(1), answered_at: null, health: health(5) }, 'unhealthy'],
  ])('%j: %s', (over, expected) => {
    expect(status(over)).toBe(expected);
  });
});

test.each([
  [0.949, 'active'],
  [0.95, 'degraded'],
  [1, 'degraded'],
])('a load of %d: %s', (current_load, expected) => {
  expect(status({ current_load })).toBe(expected);
});

test('draining stays whatever else is wrong, until the agent is gone', () => {
  const draining = true;
  expect(status({ draining })).toBe('draining');
  expect(status({ draining, current_load: 1, health: health(9) })).toBe('draining');
  expect(status({ draining, last_heartbeat: ago(3) })).toBe('draining');
  expect(status({ draining, last_heartbeat: ago(4) })).toBe('offline');
});
