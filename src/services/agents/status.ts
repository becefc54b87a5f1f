/** How an agent is, from its signs of life: the one rule for heartbeats, health checks and the monitor. */
import type { AgentStatus } from '../../schema/names.ts';
import type { AgentRow } from '../../stores/agents-rows.ts';

export type Signs = Pick<AgentRow, 'draining' | 'current_load' | 'last_heartbeat' | 'beats' | 'answered_at' | 'health'>;

/** Missed heartbeats that lead to a status. */
const DEGRADED_AFTER = 2;
const UNHEALTHY_AFTER = 3;
const OFFLINE_AFTER = 4;
/** Failed health checks in a row that make an agent unhealthy; fewer make it degraded. */
const UNHEALTHY_FAILURES = 3;
const FULL_LOAD = 0.95;

/**
 * - offline: four missed heartbeats, and no good health answer for as long;
 * - draining: asked to, until it is activated;
 * - unhealthy: three missed heartbeats, or three failed health checks in a row;
 * - degraded: two missed heartbeats, a failed health check, or a load of 0.95 and more;
 * - active: otherwise.
 *
 * Of an agent that never sent a heartbeat good health answers count as such. `at` is milliseconds since the epoch.
 */
export function statusOf(signs: Signs, at: number, intervalSeconds: number): AgentStatus {
  const interval = intervalSeconds * 1000;
  const heartbeat = signs.last_heartbeat.getTime();
  const answer = signs.answered_at?.getTime() ?? Number.NEGATIVE_INFINITY;
  const missed = Math.floor((at - (signs.beats ? heartbeat : Math.max(heartbeat, answer))) / interval);
  const failures = signs.health?.failures ?? 0;
  if (missed >= OFFLINE_AFTER && at - answer >= OFFLINE_AFTER * interval) return 'offline';
  if (signs.draining) return 'draining';
  if (missed >= UNHEALTHY_AFTER || failures >= UNHEALTHY_FAILURES) return 'unhealthy';
  if (missed >= DEGRADED_AFTER || failures > 0 || signs.current_load >= FULL_LOAD) return 'degraded';
  return 'active';
}
