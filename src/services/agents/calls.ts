/** Calls to an agent by its row: its keys and its operator's credential are looked up for each call. */
import {
  type AgentAnswer,
  type AgentStatusAnswer,
  type AgentTask,
  askHealth,
  askStatus,
  type HealthAnswer,
  postTask,
  withdrawTask,
} from '../../clients/agent-calls.ts';
import { callTool, type ToolCall, type ToolCallOptions } from '../../clients/agent-mcp.ts';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { AgentEndpoints } from '../../schema/tables-control.ts';

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
    progress: `${base}/progress`,
    complete: `${base}/complete`,
    fail: `${base}/fail`,
    logs: `${base}/logs`,
  };
  return postTask(deps.egress, await targetOf(deps, agent, 'task'), { ...task, callbacks }, options);
}

/** Asks `endpoints.status` how an attempt goes. Throws like `callAgent`; `conflict` when it has no such endpoint. */
export async function pollAgent(
  deps: Needs,
  agent: CalledAgent,
  attempt: { task_id: string; attempt: number },
  signal?: AbortSignal,
): Promise<AgentStatusAnswer> {
  return askStatus(deps.egress, await targetOf(deps, agent, 'status'), attempt, signal);
}

/** Tells a push agent that an attempt is no longer wanted; `told` is false where it cannot be told. Never throws by itself. */
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
  return askHealth(deps.egress, { url: agent.endpoints.health, keys: [], headers: {} }, signal);
}

/** Calls the tool that a task's payload names, `{tool, arguments}`. Throws Failure; see `callTool`. */
export async function callMcpAgent(
  deps: Needs,
  agent: CalledAgent,
  call: ToolCall,
  options: ToolCallOptions,
): Promise<Awaited<ReturnType<typeof callTool>>> {
  const { url, headers } = await targetOf(deps, agent, 'mcp');
  return callTool(deps.egress, { url, headers }, call, options);
}

async function targetOf(deps: Needs, agent: CalledAgent, endpoint: keyof AgentEndpoints) {
  const url = agent.endpoints[endpoint];
  if (url === undefined) throw new Failure('conflict', `Agent ${agent.agent_id} has no endpoint ${endpoint}`);
  return { url, keys: await keysOf(deps, agent.agent_id), headers: {} };
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
