/** Finds an agent for a caller: its own, shared and granted ones; fewer may change it, and an agent touches only itself. */
import type { Deps } from '../../deps.ts';
import { canChange, canSee, visibleOwners } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import { eventResource } from '../../schema/live.ts';
import type { Executor } from '../../schema/names.ts';
import type { Principal } from '../../schema/principal.ts';
import { type AgentRow, findAgent } from '../../stores/agents-rows.ts';

type Needs = Pick<Deps, 'db'>;

/**
 * Throws Failure('forbidden') for an agent that asks about another, there or not, and `not_found` also for one that the
 * caller may not see.
 */
export async function visibleAgent(deps: Needs, principal: Principal, agentId: string): Promise<AgentRow> {
  if (principal.role === 'agent' && principal.id !== agentId) {
    throw new Failure('forbidden', 'An agent acts for itself only');
  }
  const row = await findAgent(deps.db, agentId);
  if (!row || !maySeeAgent(principal, row)) throw new Failure('not_found', `No agent ${agentId}`);
  return row;
}

/** The one rule for looking at agents, listing them (`agentsShownTo`), and their events (`visibleTo`). */
function maySeeAgent(principal: Principal, row: AgentRow): boolean {
  return principal.id === row.agent_id || row.shared || canSee(principal, refOf(row));
}

/** Whose agents a caller is shown besides shared ones; null for all. */
export function agentsShownTo(principal: Principal): { owners: string[]; ids: string[] } | null {
  const owners = visibleOwners(principal);
  if (owners === null) return null;
  const ids = principal.grants.flatMap(({ resource }) =>
    resource.startsWith(AGENT) ? [resource.slice(AGENT.length)] : [],
  );
  return { owners, ids };
}

const AGENT = eventResource.agent('');

const refOf = (row: AgentRow) => ({ owner: row.owner, ref: eventResource.agent(row.agent_id) });

/**
 * For a task that names its agent. Throws Failure: `invalid_input` for an agent that is not there, which one that the
 * caller may not see is as well, and for a task that says besides who is to do it; `forbidden` for one that does its
 * owner's tasks alone. Operators see every agent, and yet only admins may send their tasks to anybody's.
 */
export async function assertUsableAgent(
  deps: Needs,
  principal: Principal,
  task: { agent_id: string; executor: Executor; capabilities: readonly string[] },
): Promise<void> {
  if (task.executor === 'builtin' || task.capabilities.length > 0) {
    throw fault('names who does the task: executor builtin and capabilities do not go with it');
  }
  const row = await findAgent(deps.db, task.agent_id);
  if (!row || !maySeeAgent(principal, row)) throw fault('there is no such agent, or it is not yours to use');
  const granted = principal.role !== 'operator' && canChange(principal, refOf(row));
  if (row.shared || row.owner === principal.id || granted) return;
  throw new Failure('forbidden', `agent_id: agent ${row.agent_id} does the tasks of its owner alone`);
}

function fault(message: string): Failure {
  return new Failure('invalid_input', `agent_id: ${message}`, { faults: [{ path: 'agent_id', message }] });
}

/** Whether the caller is the agent, its owner, an operator, or was granted it. */
export function mayChangeAgent(principal: Principal, row: AgentRow): boolean {
  if (principal.role === 'agent') return principal.id === row.agent_id;
  return canChange(principal, refOf(row));
}

export async function changeableAgent(deps: Needs, principal: Principal, agentId: string): Promise<AgentRow> {
  const row = await visibleAgent(deps, principal, agentId);
  if (!mayChangeAgent(principal, row)) {
    throw new Failure('forbidden', `Agent ${agentId} may be seen but not changed with these credentials`);
  }
  return row;
}
