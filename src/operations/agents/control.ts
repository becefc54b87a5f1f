/** `agents.heartbeat`, `drain`, `activate`, `token`, `delete`: by the agent itself or by those who may change it. */
import { z } from 'zod';
import { AgentDetail, AgentRef, Heartbeat, HeartbeatAnswer } from '../../schema/agents.ts';
import { deleteAgent, heartbeat, rotateToken, setDraining } from '../../services/agents/control.ts';
import { agentDetail } from '../../services/agents/views.ts';
import { type AnyOperation, defineOperation } from '../contract.ts';

export const agentsHeartbeat = defineOperation({
  name: 'agents.heartbeat',
  summary: 'Say that an agent lives and how busy it is',
  room: 'agents',
  permission: ['agents:write', 'agents:work'],
  rate: 'agent',
  input: Heartbeat,
  output: HeartbeatAnswer,
  http: { method: 'post', path: '/api/v1/agents/{agent_id}/heartbeat', tag: 'Agents' },
  failures: ['not_found', 'unavailable'],
  // Four a minute of every agent would bury what people did.
  audited: false,
  async run({ deps, principal }, { agent_id, ...beat }) {
    const row = await heartbeat(deps, principal, agent_id, beat);
    return {
      agent_id,
      status: row.status,
      draining: row.draining,
      heartbeat_interval_seconds: deps.config.AGENT_HEARTBEAT_SECONDS,
    };
  },
});

function draining(verb: 'drain' | 'activate', summary: string): AnyOperation {
  return defineOperation({
    name: `agents.${verb}`,
    summary,
    room: 'agents',
    permission: ['agents:write', 'agents:work'],
    input: AgentRef,
    output: AgentDetail,
    http: { method: 'post', path: `/api/v1/agents/{agent_id}/${verb}`, tag: 'Agents' },
    failures: ['not_found', 'unavailable'],
    audited: true,
    run: async ({ deps, principal }, { agent_id }) =>
      agentDetail(deps, principal, await setDraining(deps, principal, agent_id, verb === 'drain')),
  });
}

export const agentsDrain = draining('drain', 'Give an agent no new tasks; those that it has go on');
export const agentsActivate = draining('activate', 'Give a drained agent tasks again');

export const agentsToken = defineOperation({
  name: 'agents.token',
  summary: "Replace an agent's token; the old one stops working within 2 seconds everywhere",
  room: 'agents',
  permission: ['agents:write', 'agents:work'],
  input: AgentRef,
  output: z.object({ agent_id: z.uuid(), token: z.string().describe('shown this once') }),
  http: { method: 'post', path: '/api/v1/agents/{agent_id}/token', tag: 'Agents' },
  failures: ['not_found', 'unavailable'],
  audited: true,
  run: async ({ deps, principal }, { agent_id }) => ({
    agent_id,
    token: await rotateToken(deps, principal, agent_id),
  }),
});

export const agentsDelete = defineOperation({
  name: 'agents.delete',
  summary: 'Take an agent out; its token ends and its tasks move to others',
  room: 'agents',
  permission: ['agents:write', 'agents:work'],
  input: AgentRef,
  output: z.object({ agent_id: z.uuid(), moved_tasks: z.int() }),
  http: { method: 'delete', path: '/api/v1/agents/{agent_id}', tag: 'Agents' },
  failures: ['not_found', 'unavailable'],
  audited: true,
  run: async ({ deps, principal }, { agent_id }) => ({
    agent_id,
    moved_tasks: await deleteAgent(deps, principal, agent_id),
  }),
});
