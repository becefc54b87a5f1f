/** Finds an agent for a caller: everybody sees them, only some may change them, and an agent touches only itself. */
import type { Deps } from '../../deps.ts';
import { canChange } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import { eventResource } from '../../schema/live.ts';
import type { Principal } from '../../schema/principal.ts';
import { type AgentRow, findAgent } from '../../stores/agents-rows.ts';

type Needs = Pick<Deps, 'db'>;

/** Throws Failure('forbidden') for an agent that asks about another, there or not, and `not_found`. */
export async function visibleAgent(deps: Needs, principal: Principal, agentId: string): Promise<AgentRow> {
  if (principal.role === 'agent' && principal.id !== agentId) {
    throw new Failure('forbidden', 'An agent acts for itself only');
  }
  const row = await findAgent(deps.db, agentId);
  if (!row) throw new Failure('not_found', `No agent ${agentId}`);
  return row;
}

/** Whether the caller is the agent, its owner, an operator, or was granted it. */
export function mayChangeAgent(principal: Principal, row: AgentRow): boolean {
  if (principal.role === 'agent') return principal.id === row.agent_id;
  return canChange(principal, { owner: row.owner, ref: eventResource.agent(row.agent_id) });
}

export async function changeableAgent(deps: Needs, principal: Principal, agentId: string): Promise<AgentRow> {
  const row = await visibleAgent(deps, principal, agentId);
  if (!mayChangeAgent(principal, row)) {
    throw new Failure('forbidden', `Agent ${agentId} may be seen but not changed with these credentials`);
  }
  return row;
}
