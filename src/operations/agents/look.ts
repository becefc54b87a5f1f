/** `agents.list` and `agents.get`: who there is and how they are. */
import { AgentDetail, AgentList, AgentListQuery, AgentRef } from '../../schema/agents.ts';
import { agentsShownTo, visibleAgent } from '../../services/agents/lookup.ts';
import { agentDetail, agentView } from '../../services/agents/views.ts';
import { listAgents } from '../../stores/agents-rows.ts';
import { defineOperation, READ_ONLY } from '../contract.ts';

export const agentsList = defineOperation({
  name: 'agents.list',
  summary: "The caller's agents and those that are shared, newest first; operators see all",
  room: 'agents',
  permission: 'agents:read',
  input: AgentListQuery,
  output: AgentList,
  http: { method: 'get', path: '/api/v1/agents', tag: 'Agents' },
  mcp: {
    tool: 'list_agents',
    title: 'List agents',
    description:
      'Lists your agents and shared ones with type, capabilities, status (active, degraded, unhealthy, offline, draining), last ' +
      'heartbeat and current load. Filter by status, type or capability; next_cursor leads on.',
    ...READ_ONLY,
  },
  failures: ['unavailable'],
  audited: false,
  async run({ deps, principal }, query) {
    const { items, ...rest } = await listAgents(deps.db, agentsShownTo(principal), query);
    return { agents: items.map(agentView), ...rest };
  },
});

export const agentsGet = defineOperation({
  name: 'agents.get',
  summary: 'One agent with its health and what it is at; addresses and labels for those who may change it',
  room: 'agents',
  permission: ['agents:read', 'agents:work'],
  input: AgentRef,
  output: AgentDetail,
  http: { method: 'get', path: '/api/v1/agents/{agent_id}', tag: 'Agents' },
  failures: ['not_found', 'unavailable'],
  audited: false,
  run: async ({ deps, principal }, { agent_id }) =>
    agentDetail(deps, principal, await visibleAgent(deps, principal, agent_id)),
});
