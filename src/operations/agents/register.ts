/** `agents.register`: a new agent, or the one of this name updated. */
import { AgentRegistered, AgentRegistration } from '../../schema/agents.ts';
import { tellLost } from '../../services/agents/lost.ts';
import { registerAgent } from '../../services/agents/register.ts';
import { tellRoom } from '../../services/agents/room.ts';
import { triggerWatch } from '../../services/agents/watch-schedule.ts';
import { defineOperation } from '../contract.ts';

export const agentsRegister = defineOperation({
  name: 'agents.register',
  summary: 'Register an agent, or update the one of this name; its token is shown this once',
  room: 'agents',
  permission: ['agents:write', 'agents:work'],
  input: AgentRegistration,
  output: AgentRegistered,
  http: { method: 'post', path: '/api/v1/agents/register', status: 201, tag: 'Agents' },
  mcp: {
    tool: 'register_agent',
    title: 'Register agent',
    description:
      'Registers a remote agent that does tasks, by name, type and capabilities. With endpoints.task it is called over ' +
      'HTTP, with endpoints.mcp as an MCP server, without either it claims tasks itself. It does your own tasks; of ' +
      "operators, who share theirs, everybody's. Returns agent_id and the agent's token, shown only this once. A name of " +
      'your own again updates that agent and replaces its token.',
    readOnly: false,
    destructive: false,
    idempotent: false,
    openWorld: true,
    listed: true,
  },
  failures: ['conflict', 'agent_limit', 'egress_denied', 'unavailable'],
  audited: true,
  statusOf: ({ created }) => (created ? 201 : 200),
  async run({ deps, principal }, input) {
    const { row, token, created, abandoned } = await registerAgent(deps, principal, input);
    await tellLost(deps, abandoned);
    triggerWatch(deps);
    tellRoom(deps);
    return {
      agent_id: row.agent_id,
      token,
      heartbeat_interval_seconds: deps.config.AGENT_HEARTBEAT_SECONDS,
      created,
    };
  },
});
