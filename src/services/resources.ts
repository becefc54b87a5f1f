/** MCP resources: documents of the house under `ostinato://`, and the bus that tells of their changes. */
import type { Deps } from '../deps.ts';
import type { ChangeBus, ResourcesService } from '../mcp/contract.ts';
import { mayDo } from '../schema/access.ts';
import { CONTEXT_URI } from '../schema/context.ts';
import { readContext } from './context/context.ts';
import type { EventHub } from './event-hub.ts';

export function houseResources(deps: Deps): ResourcesService {
  return {
    async list(principal) {
      if (!mayDo(principal, 'files:read')) return [];
      return [
        {
          uri: CONTEXT_URI,
          name: 'data_ingestion',
          title: 'Data ingestion context',
          description: 'What is being ingested, what was asked, and what is stored, at this moment',
          mimeType: 'application/json',
        },
      ];
    },
    async read(principal, uri) {
      if (uri !== CONTEXT_URI || !mayDo(principal, 'files:read')) return null;
      return { uri, mimeType: 'application/json', text: JSON.stringify(await readContext(deps, principal)) };
    },
  };
}

/** Every logged event changes the context document. Events come from every process through the hub. */
export function contextChanges(hub: EventHub): ChangeBus {
  return {
    subscribe(listener) {
      const stop = new AbortController();
      const follow = async () => {
        for await (const _event of hub.subscribe({ owners: null }, stop.signal)) listener({ uri: CONTEXT_URI });
      };
      follow().catch(() => {});
      return () => stop.abort();
    },
  };
}
