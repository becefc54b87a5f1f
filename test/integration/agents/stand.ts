/** Agents' operations on a real database, called as the doors call them, without the doors. */
import { createEgress } from '../../../src/clients/egress.ts';
import type { Deps } from '../../../src/deps.ts';
import { agentOperations } from '../../../src/operations/agents/index.ts';
import { invoke } from '../../../src/operations/invoke.ts';
import type { Failure } from '../../../src/schema/failures.ts';
import type { Role } from '../../../src/schema/names.ts';
import type { Principal } from '../../../src/schema/principal.ts';
import { openStand, type Stand } from '../api/stand.ts';

export interface AgentStand extends Stand {
  /** Resolves with what the operation answers, or with `{code, detail, faults}`. */
  as(principal: Principal): (name: string, input?: object) => Promise<any>;
}

export async function openAgentStand(
  env: Record<string, string> = {},
  overrides: Partial<Deps> = {},
): Promise<AgentStand> {
  const allow = (env.EGRESS_ALLOW ?? '').split(',').filter(Boolean);
  const egress = overrides.egress ?? createEgress({ allow, maxBytes: 1e6, timeoutMs: 5_000 });
  const stand = await openStand({ ...overrides, egress }, { AGENT_HEARTBEAT_SECONDS: '10', ...env });
  return {
    ...stand,
    as:
      (principal) =>
      async (name, input = {}) => {
        const operation = agentOperations.find((one) => one.name === `agents.${name}`);
        if (!operation) throw new Error(`no operation ${name}`);
        const invocation = {
          principal,
          requestId: 'r',
          address: null,
          idempotencyKey: null,
          signal: new AbortController().signal,
          report: () => undefined,
        };
        return invoke(stand.deps, operation, invocation, input).then(
          (output) => operation.output.parse(output),
          ({ code, message, faults }: Failure) => ({ code, detail: message, faults }),
        );
      },
    async close() {
      await egress.close();
      await stand.close();
    },
  };
}

export function caller(id: string, role: Role = 'developer', grants: Principal['grants'] = []): Principal {
  return { id, name: id, role, grants, via: 'api_key', keyId: null };
}

export const itself = (agentId: string): Principal => caller(agentId, 'agent');
