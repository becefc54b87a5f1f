/** Calls to an agent by its row: its keys and its owner's credential are looked up for each call. */
import {
  type AgentAnswer,
  type AgentStatusAnswer,
  type AgentTarget,
  type AgentTask,
  askHealth,
  askStatus,
  type HealthAnswer,
  postTask,
  withdrawTask,
} from '../../clients/agent-calls.ts';
import { callTool, type ToolCall, type ToolCallOptions } from '../../clients/agent-mcp.ts';
import { isUnproven } from '../../clients/agent-refusals.ts';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { AgentEndpoints } from '../../schema/tables-control.ts';
import { authorizeOutgoing, forget } from '../access/outgoing.ts';

type Needs = Pick<Deps, 'db' | 'config' | 'egress'>;

/** What a call needs to know of an agent; a row and a choice both fit. */
export interface CalledAgent {
  agent_id: string;
  owner: string;
  endpoints: AgentEndpoints;
  credential: string | null;
}

export type { AgentTask } from '../../clients/agent-calls.ts';

/**
 * POSTs a task to `endpoints.task`: 200 with a result, or 202, after which the agent calls back. Throws Failure
 * `agent_unreachable`, `agent_failed` or `egress_denied`; see `postTask`.
 */
export async function callAgent(
  deps: Needs,
  agent: CalledAgent,
  task: AgentTask,
  options: { timeoutMs: number; signal?: AbortSignal },
): Promise<AgentAnswer> {
  const base = `${deps.config.publicUrl}/api/v1/tasks/${encodeURIComponent(task.task_id)}`;
  const callbacks = {
    input: `${base}/input`,
    progress: `${base}/progress`,
    complete: `${base}/complete`,
    fail: `${base}/fail`,
    logs: `${base}/logs`,
  };
  return proven(deps, agent, 'task', (target) => postTask(deps.egress, target, { ...task, callbacks }, options));
}

/** Asks `endpoints.status` how an attempt goes. Throws like `callAgent`; `conflict` when it has no such endpoint. */
export async function pollAgent(
  deps: Needs,
  agent: CalledAgent,
  attempt: { task_id: string; attempt: number },
  signal?: AbortSignal,
): Promise<AgentStatusAnswer> {
  return proven(deps, agent, 'status', (target) => askStatus(deps.egress, target, attempt, signal));
}

/** Tells a push agent that an attempt is no longer wanted; `told` is false where the agent did not take it. */
export async function cancelOnAgent(
  deps: Needs,
  agent: CalledAgent,
  attempt: { task_id: string; attempt: number },
  signal?: AbortSignal,
): Promise<{ told: boolean }> {
  if (agent.endpoints.task === undefined) return { told: false };
  return withdrawTask(deps.egress, await targetOf(deps, agent, 'task'), attempt, signal);
}

/** Whether `endpoints.health` answers; null where it has none. */
export async function checkHealth(deps: Needs, agent: CalledAgent, signal?: AbortSignal): Promise<HealthAnswer | null> {
  if (agent.endpoints.health === undefined) return null;
  const url = agent.endpoints.health;
  const started = performance.now();
  try {
    return await askHealth(deps.egress, { url, keys: [], headers: await proofOf(deps, agent) }, signal);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { ok: false, latency_ms: Math.round(performance.now() - started), detail: error.message };
  }
}

/** Calls the tool that a task's payload names, `{tool, arguments}`. Throws Failure; see `callTool`. */
export async function callMcpAgent(
  deps: Needs,
  agent: CalledAgent,
  call: ToolCall,
  options: ToolCallOptions,
): Promise<Awaited<ReturnType<typeof callTool>>> {
  return proven(deps, agent, 'mcp', (target) => callTool(deps.egress, target, call, options));
}

/** With the owner's credential; one that is refused with 401 is asked for anew, once. */
async function proven<T>(
  deps: Needs,
  agent: CalledAgent,
  endpoint: keyof AgentEndpoints,
  act: (target: AgentTarget) => Promise<T>,
): Promise<T> {
  const target = await targetOf(deps, agent, endpoint);
  try {
    return await act(target);
  } catch (error) {
    if (agent.credential === null || !isUnproven(error)) throw error;
    forget(deps, agent.owner, agent.credential, target.headers);
    const headers = await proofOf(deps, agent);
    if (headers.authorization === target.headers.authorization) throw error;
    return act({ ...target, headers });
  }
}

async function targetOf(deps: Needs, agent: CalledAgent, endpoint: keyof AgentEndpoints): Promise<AgentTarget> {
  const url = agent.endpoints[endpoint];
  if (url === undefined) throw new Failure('conflict', `Agent ${agent.agent_id} has no endpoint ${endpoint}`);
  const [keys, headers] = await Promise.all([keysOf(deps, agent.agent_id), proofOf(deps, agent)]);
  return { url, keys, headers };
}

async function proofOf(deps: Needs, { owner, credential }: CalledAgent): Promise<Record<string, string>> {
  if (credential === null) return {};
  try {
    return await authorizeOutgoing(deps, owner, credential);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'not_found') throw error;
    throw new Failure('agent_unreachable', `Its owner has no credential ${JSON.stringify(credential)} any more`);
  }
}

/** Newest first. An agent has more than one token only where somebody issued one without rotation. */
async function keysOf(deps: Needs, agentId: string): Promise<Buffer[]> {
  const rows = await deps.db
    .selectFrom('api_keys')
    .select('hash')
    .where('role', '=', 'agent')
    .where('principal_id', '=', agentId)
    .where('revoked_at', 'is', null)
    .orderBy('created_at', 'desc')
    .limit(5)
    .execute();
  return rows.map((row) => row.hash);
}
