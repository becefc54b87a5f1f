/** Whether an event fits a view: the same answer in memory that the event log gives in SQL. */
import { visibleOwners } from '../../schema/access.ts';
import { eventResource, LIVE_TYPES, type LiveFilters, type LiveType, RUN_EVENTS } from '../../schema/live.ts';
import { EVENT_NAMES, type EventName } from '../../schema/names.ts';
import type { Principal } from '../../schema/principal.ts';
import type { EventFilter, LoggedEvent } from '../../stores/events.ts';

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
  const { run_id, pipeline_id } = event.data;
  return tellsOfRun(event) && (resources.has(`run:${run_id}`) || resources.has(`pipeline:${pipeline_id}`));
}

function tellsOfRun({ name, data }: LoggedEvent): boolean {
  return typeof data.run_id === 'string' && (RUN_EVENTS as readonly EventName[]).includes(name);
}

function fitsFilter({ names, resource, pipelineId, runId }: EventFilter, event: LoggedEvent): boolean {
  return (
    (names === undefined || names.includes(event.name)) &&
    (resource === undefined || event.resource === resource) &&
    (pipelineId === undefined || event.data.pipeline_id === pipelineId) &&
    (runId === undefined ||
      event.resource === eventResource.run(runId) ||
      (tellsOfRun(event) && event.data.run_id === runId))
  );
}

/**
 * A caller's filter as the log knows it. Ids of two kinds fit nothing, since an event is about one thing; a run and its
 * pipeline are what it may tell of besides.
 */
export function toEventFilter(filters: LiveFilters): EventFilter {
  const { types, task_id, agent_id, run_id, file_id, pipeline_id } = filters;
  const resources = [
    ...(task_id === undefined ? [] : [eventResource.task(task_id)]),
    ...(agent_id === undefined ? [] : [eventResource.agent(agent_id)]),
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
    ...(run_id === undefined ? {} : { runId: run_id }),
  };
}

/** The `type` that an event's frame has. */
export function liveType(name: EventName): LiveType {
  return name in LIVE_TYPES ? LIVE_TYPES[name as keyof typeof LIVE_TYPES] : 'event';
}
