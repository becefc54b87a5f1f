/** Agents as callers see them. */
import type { Deps } from '../../deps.ts';
import type { AgentDetail, AgentView } from '../../schema/agents.ts';
import type { Principal } from '../../schema/principal.ts';
import { type AgentRow, tasksOf } from '../../stores/agents-rows.ts';
import { mayChangeAgent } from './lookup.ts';

export function agentView(row: AgentRow): AgentView {
  return {
    id: row.agent_id,
    name: row.name,
    type: row.type,
    status: row.status,
    capabilities: row.capabilities,
    last_heartbeat: row.last_heartbeat.toISOString(),
    current_load: row.current_load,
    shared: row.shared,
  };
}

/** Addresses, labels and tasks are only for those who may change the agent. */
export async function agentDetail(deps: Pick<Deps, 'db'>, principal: Principal, row: AgentRow): Promise<AgentDetail> {
  const tasks = await tasksOf(deps.db, [row.agent_id]);
  const trusted = mayChangeAgent(principal, row);
  return {
    ...agentView(row),
    mode: row.endpoints.task !== undefined ? 'push' : row.endpoints.mcp !== undefined ? 'mcp' : 'pull',
    draining: row.draining,
    max_concurrency: row.max_concurrency,
    running_tasks: tasks.length,
    resources: row.resources,
    health: row.health && {
      ok: row.health.ok,
      failures: row.health.failures,
      latency_ms: row.health.latency_ms,
      checked_at: row.health.checked_at,
    },
    owner: row.owner,
    registered_at: row.registered_at.toISOString(),
    endpoints: trusted ? row.endpoints : null,
    labels: trusted ? row.labels : null,
    credential: trusted ? row.credential : null,
    tasks: trusted
      ? tasks.map(({ task_id, type, attempt, assigned_at }) => ({
          task_id,
          type,
          attempt,
          assigned_at: assigned_at?.toISOString() ?? null,
        }))
      : null,
  };
}
