/** Tasks as people read them. */
import type { z } from 'zod';
import type { TaskDetail, TaskListItem, TaskLogView } from '../../schema/tasks.ts';
import type { AgentNames } from '../agent-names.ts';
import type { Output, Style } from '../output.ts';
import type { Column } from '../table.ts';
import { clean } from '../text.ts';
import { shownId, styleStatus } from './file.ts';

/** What ids of tasks begin with. */
export const TASK_LEAD = 'task-';

type Log = z.output<typeof TaskLogView>;

export function taskColumns(out: Output, names: Pick<AgentNames, 'of'>): Column<TaskListItem>[] {
  return [
    { title: 'TASK', value: (task) => shownId(out, task.task_id, TASK_LEAD) },
    { title: 'TYPE', value: (task) => task.type },
    { title: 'STATUS', value: (task) => task.status, style: (cell) => styleStatus(out, cell) },
    { title: '%', value: (task) => percent(task.progress), align: 'right' },
    { title: 'PRIORITY', value: (task) => task.priority },
    { title: 'PLACE', value: (task) => String(task.queue_position ?? '-'), align: 'right' },
    { title: 'AGENT', value: ({ assigned_agent: id }) => (id ? (names.of(id) ?? shownId(out, id)) : '-'), shrinkTo: 8 },
    { title: 'CREATED', value: (task) => out.time(task.created_at) },
    { title: 'ERROR', value: (task) => task.error?.detail ?? '-', shrinkTo: 8 },
  ];
}

/** One task, whole but for its logs and payload. */
export function taskFields(out: Output, task: TaskDetail, names: Pick<AgentNames, 'of'>): [string, string][] {
  const place =
    task.queue_position === null ? [] : [['place', `${task.queue_position} of ${task.queue_length} that wait`]];
  const waits =
    task.waits_for_agent === null
      ? []
      : [
          [
            'waits',
            `for an agent, until ${out.time(task.waits_for_agent.until)}: ${clean(task.waits_for_agent.reason)}`,
          ],
        ];
  const label = task.pipeline_id === null ? [] : [['pipeline', `${task.pipeline_id}, stage ${task.stage ?? '-'}`]];
  return [
    ['task', task.task_id],
    ['type', `${task.type}, ${task.priority} priority`],
    ['status', `${styleStatus(out, task.status)} (${percent(task.progress)}%, attempt ${task.attempt})`],
    ...(place as [string, string][]),
    ...(waits as [string, string][]),
    ...(label as [string, string][]),
    ['executor', executorOf(task, names)],
    ['owner', clean(task.owner)],
    ['timeout', `${task.timeout} s, ${task.retry_count} retries`],
    ['created', out.time(task.created_at)],
    ['started', out.time(task.started_at)],
    ['completed', out.time(task.completed_at)],
    ...task.attempts
      .filter((attempt) => attempt.error !== null)
      .map(({ attempt, executor, status, error }): [string, string] => [
        'attempt',
        clean(`${attempt} (${executor}): ${status}, ${error?.detail} [${error?.code}]`),
      ]),
    ...(task.result ? ([['result', clean(JSON.stringify(task.result))]] as [string, string][]) : []),
    ...(task.error ? ([['error', `${clean(task.error.detail)} [${task.error.code}]`]] as [string, string][]) : []),
    ['web ui', clean(task.links.ui)],
  ];
}

function executorOf({ assigned_agent, agent_id, executor }: TaskDetail, names: Pick<AgentNames, 'of'>): string {
  const agent = assigned_agent ?? agent_id;
  if (agent === null) return executor;
  const name = names.of(agent);
  return name === undefined ? `agent ${agent}` : `agent ${name} (${agent})`;
}

const LEVEL_STYLE: Partial<Record<Log['level'], Style>> = { debug: 'dim', warn: 'yellow', error: 'red' };

export function logLine(out: Output, log: Log): string {
  const style = LEVEL_STYLE[log.level];
  const text = `${log.timestamp} ${log.level.padEnd(5)} ${clean(log.message)}`;
  return style ? out.style(style, text) : text;
}

function percent(share: number): string {
  return String(Math.floor(share * 100));
}
