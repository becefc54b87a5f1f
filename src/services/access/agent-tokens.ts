/** Tokens of agents: keys of role `agent` that stand for the agent's own id. */
import { randomUUID } from 'node:crypto';
import type { Trx } from '../../stores/database.ts';
import { insertKey, revokeKeysOf } from '../../stores/keys.ts';
import { newAgentToken } from './secrets.ts';

export interface AgentTokenRequest {
  agent_id: string;
  /** The agent's name, for lists and the audit log. */
  name: string;
  /** Principal who asks. */
  created_by: string;
  /** Ends the agent's earlier tokens in the same transaction. */
  rotate?: boolean;
}

/** The token, shown this once: only its hash is stored. Its principal's id is the agent's. */
export async function issueAgentToken(
  trx: Trx,
  request: AgentTokenRequest,
): Promise<{ token: string; key_id: string }> {
  if (request.rotate) await revokeAgentTokens(trx, request.agent_id);
  const { key, hash, prefix } = newAgentToken();
  const { key_id } = await insertKey(trx, {
    key_id: randomUUID(),
    principal_id: request.agent_id,
    name: request.name,
    role: 'agent',
    grants: [],
    prefix,
    hash,
    created_by: request.created_by,
    expires_at: null,
  });
  return { token: key, key_id };
}

/** Ends every live token of the agent, everywhere within REVOCATION_BOUND_MS; resolves with how many there were. */
export function revokeAgentTokens(trx: Trx, agentId: string): Promise<number> {
  return revokeKeysOf(trx, 'agent', agentId);
}
