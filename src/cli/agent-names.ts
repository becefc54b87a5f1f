/** What people call the agents that tasks name by their ids. */
import { AgentList, AgentView } from '../schema/agents.ts';
import type { Api } from './api.ts';
import { CliError } from './errors.ts';
import { clean } from './text.ts';

/** More of them are asked for in one go. */
const FEW = 4;

export interface AgentNames {
  /** Asks for those that were not asked for before. */
  learn(ids: readonly (string | null)[]): Promise<void>;
  /** Undefined for an agent that is gone, or hidden from the caller. */
  of(id: string): string | undefined;
}

/** `wanted` false: nobody reads names, so none are asked for. */
export function agentNames(api: Api, wanted: boolean): AgentNames {
  const names = new Map<string, string | undefined>();
  return {
    async learn(ids) {
      const fresh = new Set(ids.filter((id) => id !== null && !names.has(id)) as string[]);
      if (!wanted) return;
      if (fresh.size <= FEW) await Promise.all([...fresh].map(async (id) => names.set(id, await nameOf(api, id))));
      else for (const { id, name } of await everybody(api)) names.set(id, clean(name));
    },
    of: (id) => names.get(id),
  };
}

/** One page holds more agents than there usually may be. */
async function everybody(api: Api): Promise<{ id: string; name: string }[]> {
  const { agents } = await api.call(AgentList, 'GET', '/api/v1/agents', { query: { limit: 200 } });
  return agents;
}

async function nameOf(api: Api, id: string): Promise<string | undefined> {
  try {
    const { name } = await api.call(AgentView.pick({ name: true }), 'GET', `/api/v1/agents/${encodeURIComponent(id)}`);
    return clean(name);
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}
