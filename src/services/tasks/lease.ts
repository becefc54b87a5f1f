/** How long an agent that works by itself may be silent. */
import type { Config } from '../../schema/config.ts';

const SHORTEST_SECONDS = 30;
const HEARTBEATS = 4;

/** Four heartbeats, and never less than half a minute: progress and logs renew it. */
export function leaseSeconds(config: Pick<Config, 'AGENT_HEARTBEAT_SECONDS'>): number {
  return Math.max(HEARTBEATS * config.AGENT_HEARTBEAT_SECONDS, SHORTEST_SECONDS);
}
