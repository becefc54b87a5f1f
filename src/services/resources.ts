/** MCP resources: documents of the house under `ostinato://`, and the bus that tells of their changes. */
import type { Deps } from '../deps.ts';
import type { ChangeBus, ResourcesService } from '../mcp/contract.ts';
import { mayDo } from '../schema/access.ts';
import { CONTEXT_URI } from '../schema/context.ts';
import type { EventName } from '../schema/names.ts';
import { runUri } from '../schema/run-uris.ts';
import type { LoggedEvent } from '../stores/events.ts';
import { readContext } from './context/context.ts';
import type { EventHub } from './event-hub.ts';
import { runResources } from './run-resources.ts';

export function houseResources(deps: Deps): ResourcesService {
  const runs = runResources(deps);
  return {
    async list(principal) {
      const own = mayDo(principal, 'files:read') ? [CONTEXT] : [];
      return [...own, ...(await runs.list(principal))];
    },
    templates: (principal) => runs.templates(principal),
    async read(principal, uri) {
      if (uri !== CONTEXT_URI) return runs.read(principal, uri);
      if (!mayDo(principal, 'files:read')) return null;
      return { uri, mimeType: 'application/json', text: JSON.stringify(await readContext(deps, principal)) };
    },
  };
}

const CONTEXT = {
  uri: CONTEXT_URI,
  name: 'data_ingestion',
  title: 'Data ingestion context',
  description: 'What is being ingested, what was asked, and what is stored, at this moment',
  mimeType: 'application/json',
};

/** Every logged event may change a document. Events come from every process through the hub. */
export function contextChanges(hub: EventHub): ChangeBus {
  return {
    subscribe(listener) {
      const stop = new AbortController();
      const isNew = newRuns();
      const follow = async () => {
        for await (const event of hub.subscribe({ owners: null }, stop.signal)) {
          const uri = changedBy(event);
          if (uri === null) continue;
          if (isNew(event)) listener({ list: true });
          listener({ uri });
        }
      };
      follow().catch(() => {});
      return () => stop.abort();
    },
  };
}

/** Runs that are remembered: one that comes back after so many others is taken for new, which only costs a look. */
const REMEMBERED = 1_000;

/** True at the first event of a run, for then the list of runs is another. */
function newRuns(): (event: Pick<LoggedEvent, 'resource'>) => boolean {
  const seen = new Set<string>();
  return ({ resource }) => {
    if (!resource?.startsWith('run:') || seen.has(resource)) return false;
    seen.add(resource);
    const [oldest] = seen;
    if (seen.size > REMEMBERED && oldest !== undefined) seen.delete(oldest);
    return true;
  };
}

/** What the context document is made of. */
const IN_CONTEXT: ReadonlySet<EventName> = new Set([
  'file.uploaded',
  'file.validation.completed',
  'processing.started',
  'processing.progress',
  'processing.completed',
  'query.executed',
]);

function changedBy({ name, resource }: Pick<LoggedEvent, 'name' | 'resource'>): string | null {
  if (resource?.startsWith('run:')) return runUri(resource.slice('run:'.length));
  return IN_CONTEXT.has(name) ? CONTEXT_URI : null;
}
