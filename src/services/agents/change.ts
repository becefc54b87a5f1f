/** Changes of an agent's row: the status follows from it, and what others should know is told in the same transaction. */
import { randomUUID } from 'node:crypto';
import type { Config } from '../../schema/config.ts';
import { type AgentUpdateData, eventResource } from '../../schema/live.ts';
import type { AgentStatus } from '../../schema/names.ts';
import type { AgentHealth } from '../../schema/tables-control.ts';
import { type AgentChange, type AgentRow, updateAgent } from '../../stores/agents-rows.ts';
import type { Trx } from '../../stores/database.ts';
import { appendEvents, type NewEvent } from '../../stores/events.ts';
import { statusOf } from './status.ts';

/** A smaller step of the load is no event until steps have added up to it. */
const TOLD_STEP = 0.05;
/** Steps of the load are told at most this often. */
const TOLD_EVERY_MS = 1_000;
/** Loads are sums of floating point. */
const EPSILON = 1e-9;

/**
 * Applies `change` to a row that this transaction has locked and resolves with the row as it then is. `settle` may
 * overrule the status that follows from the signs.
 */
export async function changeAgent(
  trx: Trx,
  config: Pick<Config, 'AGENT_HEARTBEAT_SECONDS'>,
  row: AgentRow,
  change: Omit<AgentChange, 'health'> & { health?: AgentHealth | null },
  settle: (status: AgentStatus) => AgentStatus = (status) => status,
): Promise<AgentRow> {
  const at = new Date();
  const { health, ...columns } = change;
  const next = { ...row, ...change } as AgentRow;
  const status = settle(statusOf(next, at.getTime(), config.AGENT_HEARTBEAT_SECONDS));
  const telling = status !== row.status || isLoadNews(next, at.getTime());
  const told = telling ? { told_load: next.current_load, told_at: at } : {};
  const stored = health === undefined ? {} : { health: JSON.stringify(health) };
  const offline_since = status !== 'offline' ? null : row.status === 'offline' ? row.offline_since : at;
  const after = await updateAgent(trx, row.agent_id, { ...columns, ...stored, ...told, status, offline_since });
  if (telling) await appendEvents(trx, [agentEvent(after, at)]);
  return after;
}

/** Whether the load has moved enough since the last event, and that was long enough ago. */
export function isLoadNews(row: Pick<AgentRow, 'current_load' | 'told_load' | 'told_at'>, at: number): boolean {
  const step = Math.abs(row.current_load - row.told_load);
  return step >= TOLD_STEP - EPSILON && at - row.told_at.getTime() >= TOLD_EVERY_MS;
}

export function agentEvent(row: AgentRow, at: Date): NewEvent {
  const data: AgentUpdateData = {
    agent_id: row.agent_id,
    status: row.status,
    current_load: row.current_load,
    timestamp: at.toISOString(),
  };
  return {
    name: 'agent.updated',
    owner: row.owner,
    resource: eventResource.agent(row.agent_id),
    workflow_id: null,
    data,
    shared: row.shared,
    // The row is locked and changes once: what is repeated finds nothing to tell.
    key: `agent/${row.agent_id}/${randomUUID()}`,
  };
}
