/** Whether an event fits a view: the same answer in memory that the event log gives in SQL. */
import { visibleOwners } from '../../schema/access.ts';
import { eventResource, LIVE_TYPES, type LiveFilters, type LiveType } from '../../schema/live.ts';
import { EVENT_NAMES, type EventName } from '../../schema/names.ts';
import type { Principal } from '../../schema/principal.ts';
import { type EventFilter, type LoggedEvent, PIPELINE_GRANT } from '../../stores/events.ts';

/** What a reader may see and what it wants of that; `wanted` may change while it reads. */
export interface LiveView {
  owners: ReadonlySet<string> | null;
  resources: ReadonlySet<string>;
  wanted: readonly EventFilter[] | null;
}

/** What of the log a caller may see, besides what is shared: its own, that of granted owners, and single granted things. */
export function visibleTo(principal: Principal): { owners: string[] | null; resources: string[] } {
  return { owners: visibleOwners(principal), resources: principal.grants.map((grant) => grant.resource) };
}

export function fitsView(view: LiveView, event: LoggedEvent): boolean {
  if (!maySee(view, event)) return false;
  return view.wanted === null || view.wanted.some((filter) => fitsFilter(filter, event));
}

function maySee({ owners, resources }: LiveView, event: LoggedEvent): boolean {
  if (owners === null || event.shared || owners.has(event.owner)) return true;
  if (resources.size === 0) return false;
  if (event.resource !== null && resources.has(event.resource)) return true;
  return event.name === 'pipeline.progress' && resources.has(`${PIPELINE_GRANT}${event.data.pipeline_id}`);
}

function fitsFilter({ names, resource, pipelineId }: EventFilter, event: LoggedEvent): boolean {
  return (
    (names === undefined || names.includes(event.name)) &&
    (resource === undefined || event.resource === resource) &&
    (pipelineId === undefined || event.data.pipeline_id === pipelineId)
  );
}

/** A caller's filter as the log knows it. Ids of two kinds fit nothing: an event is about one thing. */
export function toEventFilter(filters: LiveFilters): EventFilter {
  const { types, task_id, agent_id, run_id, file_id, pipeline_id } = filters;
  const resources = [
    ...(task_id === undefined ? [] : [eventResource.task(task_id)]),
    ...(agent_id === undefined ? [] : [eventResource.agent(agent_id)]),
    ...(run_id === undefined ? [] : [eventResource.run(run_id)]),
    ...(file_id === undefined ? [] : [eventResource.file(file_id)]),
  ];
  const byType = types && EVENT_NAMES.filter((name) => types.includes(liveType(name)));
  const named = filters.names ? (byType?.filter((name) => filters.names?.includes(name)) ?? filters.names) : byType;
  const names = resources.length > 1 ? [] : named;
  const [resource] = resources;
  return {
    ...(names === undefined ? {} : { names }),
    ...(resource === undefined ? {} : { resource }),
    ...(pipeline_id === undefined ? {} : { pipelineId: pipeline_id }),
  };
}

/** The `type` that an event's frame has. */
export function liveType(name: EventName): LiveType {
  return name in LIVE_TYPES ? LIVE_TYPES[name as keyof typeof LIVE_TYPES] : 'event';
}
