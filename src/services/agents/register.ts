/** Registration of an agent: under one lock, so that names stay unique and their number within MAX_AGENTS. */
import { randomUUID } from 'node:crypto';
import type { Deps } from '../../deps.ts';
import { mayDo } from '../../schema/access.ts';
import type { AgentRegistration } from '../../schema/agents.ts';
import { Failure, type Fault } from '../../schema/failures.ts';
import type { Principal } from '../../schema/principal.ts';
import type { AgentEndpoints } from '../../schema/tables-control.ts';
import {
  type AgentRow,
  countAgents,
  findAgentByName,
  type HeldTask,
  insertAgent,
  lockAgent,
  lockRegistrations,
  tasksOf,
} from '../../stores/agents-rows.ts';
import { findCredential } from '../../stores/credentials.ts';
import type { Trx } from '../../stores/database.ts';
import { appendEvents } from '../../stores/events.ts';
import { issueAgentToken } from '../access/agent-tokens.ts';
import { agentEvent, changeAgent } from './change.ts';

type Needs = Pick<Deps, 'db' | 'config' | 'egress'>;

export interface Registered {
  row: AgentRow;
  /** Null when the agent came with the token that it has. */
  token: string | null;
  created: boolean;
  /** Tasks of the process that had this name before: its token has ended, so it can say nothing of them any more. */
  abandoned: HeldTask[];
}

/**
 * A new agent, or the one of this name updated: with its own token, which it keeps, or by whoever registered it, which
 * ends its token and issues another. Throws Failure: `conflict` for somebody else's name, `agent_limit`,
 * `egress_denied` with the fields of endpoints that may not be called, `forbidden` for an agent that is not the one, and
 * for a caller who shares an agent and may not.
 */
export async function registerAgent(
  deps: Needs,
  principal: Principal,
  registration: AgentRegistration,
): Promise<Registered> {
  await checkEndpoints(deps, registration.endpoints);
  return deps.db.transaction().execute(async (trx) => {
    await lockRegistrations(trx);
    const found = await findAgentByName(trx, registration.name);
    const row = found && (await lockAgent(trx, found.agent_id));
    if (row) return update(deps, trx, principal, row, registration);
    if (principal.role === 'agent') {
      throw new Failure('forbidden', `An agent's token registers that agent only, under the name it has`);
    }
    return create(deps, trx, principal, registration);
  });
}

async function create(
  deps: Needs,
  trx: Trx,
  principal: Principal,
  registration: AgentRegistration,
): Promise<Registered> {
  const { MAX_AGENTS } = deps.config;
  if ((await countAgents(trx)) >= MAX_AGENTS) {
    throw new Failure('agent_limit', `There are ${MAX_AGENTS} agents, as many as MAX_AGENTS allows; delete one first`);
  }
  await checkCredential(trx, principal.id, registration.credential);
  const row = await insertAgent(trx, {
    agent_id: randomUUID(),
    owner: principal.id,
    ...columnsOf(registration),
    shared: sharing(principal, registration, mayShare(principal)),
    last_heartbeat: new Date(),
  });
  await appendEvents(trx, [agentEvent(row, new Date())]);
  const token = await issue(trx, principal, row);
  return { row, token, created: true, abandoned: [] };
}

async function update(
  deps: Needs,
  trx: Trx,
  principal: Principal,
  row: AgentRow,
  registration: AgentRegistration,
): Promise<Registered> {
  const itself = principal.role === 'agent' && principal.id === row.agent_id;
  if (!itself && (principal.role === 'agent' || principal.id !== row.owner)) {
    throw new Failure('conflict', `Another caller has registered an agent named ${JSON.stringify(row.name)}`);
  }
  if (itself) {
    keepCredentialAtHome(row, registration);
    keepSharing(row, registration);
  } else await checkCredential(trx, row.owner, registration.credential);
  const columns = columnsOf(registration);
  const changed = await changeAgent(trx, deps.config, row, {
    ...columns,
    shared: itself ? row.shared : sharing(principal, registration, row.shared && mayShare(principal)),
    ...(itself ? { credential: row.credential } : {}),
    // It is new: what was known of it says nothing about it any more.
    last_heartbeat: new Date(),
    beats: false,
    answered_at: null,
    health: null,
    current_load: 0,
  });
  if (itself) return { row: changed, token: null, created: false, abandoned: [] };
  const token = await issue(trx, principal, changed);
  return { row: changed, token, created: false, abandoned: await tasksOf(trx, [row.agent_id]) };
}

function columnsOf(registration: AgentRegistration) {
  const { endpoints, resources, labels, credential, shared: _shared, ...plain } = registration;
  return {
    ...plain,
    credential: credential ?? null,
    endpoints: JSON.stringify(endpoints),
    resources: JSON.stringify(resources),
    labels: JSON.stringify(labels),
  };
}

/** A shared agent is sent what others' tasks hold: that is for those to offer who may see it anyway. */
function mayShare(principal: Principal): boolean {
  return mayDo(principal, 'agents:share');
}

/** What was asked for, else `otherwise`. */
function sharing(principal: Principal, { shared }: AgentRegistration, otherwise: boolean): boolean {
  if (shared === true && !mayShare(principal)) {
    const detail = `shared: role ${principal.role} lacks agents:share, without which an agent does its owner's tasks alone`;
    throw new Failure('forbidden', detail, {
      faults: [{ path: 'shared', message: 'needs the permission agents:share' }],
    });
  }
  return shared ?? otherwise;
}

/** An agent's token must not be a way to get at others' tasks, nor to withhold what its owner offers. */
function keepSharing(row: AgentRow, { shared }: AgentRegistration): void {
  if (shared === undefined || shared === row.shared) return;
  throw new Failure('forbidden', "Whether an agent is shared is chosen by its owner, not with the agent's token");
}

async function issue(trx: Trx, principal: Principal, row: AgentRow): Promise<string> {
  const { token } = await issueAgentToken(trx, {
    agent_id: row.agent_id,
    name: row.name,
    created_by: principal.id,
    rotate: true,
  });
  return token;
}

async function checkCredential(trx: Trx, owner: string, name: string | undefined): Promise<void> {
  if (name === undefined || (await findCredential(trx, owner, name))) return;
  throw new Failure('invalid_input', `credential: there is none named ${JSON.stringify(name)}`, {
    faults: [{ path: 'credential', message: 'there is none of this name' }],
  });
}

/** An agent's token must not be a way to have its owner's credential sent elsewhere. */
function keepCredentialAtHome(row: AgentRow, registration: AgentRegistration): void {
  if (registration.credential !== undefined && registration.credential !== row.credential) {
    throw new Failure('forbidden', "The credential of an agent is chosen by its owner, not with the agent's token");
  }
  if (row.credential === null) return;
  const known = new Set(originsOf(row.endpoints));
  if (originsOf(registration.endpoints).some((origin) => !known.has(origin))) {
    throw new Failure('forbidden', 'Endpoints elsewhere would get the credential of the owner, who must register them');
  }
}

const originsOf = (endpoints: AgentEndpoints) => Object.values(endpoints).map((url) => new URL(url).origin);

/** By the rules of the guard, which every call goes through again. */
async function checkEndpoints(deps: Needs, endpoints: AgentEndpoints): Promise<void> {
  const faults = await Promise.all(
    Object.entries(endpoints).map(async ([name, url]): Promise<Fault[]> => {
      try {
        await deps.egress.check(url);
        return [];
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        return [{ path: `endpoints.${name}`, message: error.message }];
      }
    }),
  );
  const [first, ...more] = faults.flat();
  if (!first) return;
  throw new Failure('egress_denied', `${first.path}: ${first.message}`, { faults: [first, ...more] });
}
