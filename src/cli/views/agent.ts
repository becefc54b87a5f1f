/** Agents as people read them. */
import type { AgentDetail, AgentView } from '../../schema/agents.ts';
import type { Output } from '../output.ts';
import type { Column } from '../table.ts';
import { clean } from '../text.ts';
import { shownId, styleStatus } from './file.ts';

export function agentColumns(out: Output): Column<AgentView>[] {
  return [
    { title: 'AGENT', value: (agent) => shownId(out, agent.id) },
    { title: 'NAME', value: (agent) => agent.name, shrinkTo: 10 },
    { title: 'TYPE', value: (agent) => agent.type },
    { title: 'STATUS', value: (agent) => agent.status, style: (cell) => styleStatus(out, cell) },
    { title: 'LOAD', value: (agent) => percent(agent.current_load), align: 'right' },
    { title: 'HEARTBEAT', value: (agent) => out.time(agent.last_heartbeat) },
    { title: 'CAPABILITIES', value: (agent) => agent.capabilities.join(', ') || '-', shrinkTo: 12 },
  ];
}

/** One agent, whole. What the caller may not see of it is left out. */
export function agentFields(out: Output, agent: AgentDetail): [string, string][] {
  const pairs = (of: Record<string, unknown> | null) =>
    Object.entries(of ?? {}).map(
      ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
  const listed = (label: string, parts: string[]): [string, string][] =>
    parts.length > 0 ? [[label, clean(parts.join(', '))]] : [];
  const { health } = agent;
  return [
    ['agent', agent.id],
    ['name', clean(agent.name)],
    ['type', `${agent.type}, ${agent.mode}`],
    ['status', `${styleStatus(out, agent.status)}${agent.draining ? ' (gets no new tasks)' : ''}`],
    ['load', `${percent(agent.current_load)} (${agent.running_tasks} of ${agent.max_concurrency} tasks)`],
    ['heartbeat', out.time(agent.last_heartbeat)],
    ...(health
      ? ([['health', `${health.ok ? 'well' : `${health.failures} looks failed`}, ${out.time(health.checked_at)}`]] as [
          string,
          string,
        ][])
      : []),
    ...listed('capabilities', agent.capabilities),
    ...listed('resources', pairs(agent.resources)),
    ...listed('labels', pairs(agent.labels)),
    ...listed('endpoints', pairs(agent.endpoints)),
    ...listed(
      'tasks',
      (agent.tasks ?? []).map((task) => `${task.task_id} (${task.type}, attempt ${task.attempt})`),
    ),
    ['owner', clean(agent.owner)],
    ['does tasks of', agent.shared ? 'everybody' : 'its owner'],
    ['registered', out.time(agent.registered_at)],
  ];
}

function percent(load: number): string {
  return `${Math.round(load * 100)}%`;
}
