/** What callers and the agent itself do to an agent that is there: heartbeat, drain, activate, token, delete. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { JsonObject } from '../../schema/json.ts';
import type { Principal } from '../../schema/principal.ts';
import { type AgentRow, lockAgent, tasksOf } from '../../stores/agents-rows.ts';
import type { Trx } from '../../stores/database.ts';
import { issueAgentToken, revokeAgentTokens } from '../access/agent-tokens.ts';
import { changeAgent } from './change.ts';
import { changeableAgent } from './lookup.ts';
import { tellLost } from './lost.ts';
import { isAtWork, tellRoom } from './room.ts';

const MOST_RESOURCES = 32;

/** Notes that the agent lives and how busy it is; one that was offline is back with that. */
export async function heartbeat(
  deps: Deps,
  principal: Principal,
  agentId: string,
  beat: { current_load: number; resources?: JsonObject | undefined },
): Promise<AgentRow> {
  return gainingRoom(deps, principal, agentId, (trx, row) =>
    changeAgent(trx, deps.config, row, {
      last_heartbeat: new Date(),
      beats: true,
      current_load: beat.current_load,
      ...(beat.resources ? { resources: JSON.stringify(merged(row.resources, beat.resources)) } : {}),
    }),
  );
}

function merged(known: JsonObject, said: JsonObject): JsonObject {
  const resources = { ...known, ...said };
  if (Object.keys(resources).length <= MOST_RESOURCES) return resources;
  throw new Failure('invalid_input', `resources: an agent has at most ${MOST_RESOURCES}, with those told before`, {
    faults: [{ path: 'resources', message: `at most ${MOST_RESOURCES}, with those told before` }],
  });
}

/** Draining: it gets no new tasks until it is activated; those that it has go on. */
export async function setDraining(
  deps: Deps,
  principal: Principal,
  agentId: string,
  draining: boolean,
): Promise<AgentRow> {
  return gainingRoom(deps, principal, agentId, (trx, row) => changeAgent(trx, deps.config, row, { draining }));
}

/** Ends the agent's token and issues another, shown this once. */
export async function rotateToken(deps: Deps, principal: Principal, agentId: string): Promise<string> {
  return onAgent(deps, principal, agentId, async (trx, row) => {
    const request = { agent_id: agentId, name: row.name, created_by: principal.id, rotate: true };
    return (await issueAgentToken(trx, request)).token;
  });
}

/** Takes the agent out: its token ends, its name is free, and its tasks move to others. Resolves with how many those are. */
export async function deleteAgent(deps: Deps, principal: Principal, agentId: string): Promise<number> {
  const tasks = await onAgent(deps, principal, agentId, async (trx, row) => {
    await changeAgent(trx, deps.config, row, { deleted_at: new Date() }, () => 'offline');
    await revokeAgentTokens(trx, agentId);
    return tasksOf(trx, [agentId]);
  });
  await tellLost(deps, tasks);
  return tasks.length;
}

/** A change after which the agent may take tasks that it did not take before. */
async function gainingRoom(
  deps: Deps,
  principal: Principal,
  agentId: string,
  act: (trx: Trx, row: AgentRow) => Promise<AgentRow>,
): Promise<AgentRow> {
  const { before, after } = await onAgent(deps, principal, agentId, async (trx, row) => ({
    before: row,
    after: await act(trx, row),
  }));
  if (isAtWork(after.status) && !isAtWork(before.status)) tellRoom(deps);
  return after;
}

/** The agent's row, locked, for a caller who may change it. */
async function onAgent<T>(
  deps: Deps,
  principal: Principal,
  agentId: string,
  act: (trx: Trx, row: AgentRow) => Promise<T>,
): Promise<T> {
  await changeableAgent(deps, principal, agentId);
  return deps.db.transaction().execute(async (trx) => {
    const row = await lockAgent(trx, agentId);
    if (!row) throw new Failure('not_found', `No agent ${agentId}`);
    return act(trx, row);
  });
}
