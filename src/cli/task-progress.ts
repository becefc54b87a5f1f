/** How a task is shown while it goes on: a line drawn in place, JSON lines, or a line whenever it changes. */
import type { TaskDetail } from '../schema/tasks.ts';
import type { AgentNames } from './agent-names.ts';
import type { Output } from './output.ts';
import { drawBlock, type Screen } from './redraw.ts';
import { clean, cut, formatDuration } from './text.ts';

export interface TaskProgress {
  update(task: TaskDetail): void;
  /** Ends the showing; text may follow. */
  stop(): void;
}

const BAR = 24;

export function showTask(out: Output, screen: Screen, names: Pick<AgentNames, 'of'>): TaskProgress {
  if (!out.json && out.interactive) {
    let task: TaskDetail | undefined;
    const block = drawBlock(screen, ({ columns }) => (task ? [cut(lineOf(task, names, Date.now()), columns)] : []));
    return {
      update(next) {
        task = next;
        block.draw();
      },
      stop: () => block.stop(),
    };
  }
  let told = '';
  return {
    update(task) {
      const { task_id, status, progress, attempt, assigned_agent, queue_position, error } = task;
      const state = { task_id, status, progress, attempt, assigned_agent, queue_position, error };
      const key = JSON.stringify({ ...state, progress: Math.floor(progress * 10) });
      if (key === told) return;
      told = key;
      if (out.json) out.line('task_progress', state);
      else out.note(factsOf(task, names).join(', '));
    },
    stop() {},
  };
}

function lineOf(task: TaskDetail, names: Pick<AgentNames, 'of'>, now: number): string {
  const full = Math.round(task.progress * BAR);
  const took = task.started_at === null ? '' : `  ${formatDuration(Math.max(0, now - Date.parse(task.started_at)))}`;
  return `${'█'.repeat(full)}${'░'.repeat(BAR - full)}  ${factsOf(task, names).join('  ')}${took}`;
}

function factsOf(task: TaskDetail, names: Pick<AgentNames, 'of'>): string[] {
  const place = task.queue_position === null ? [] : [`place ${task.queue_position} of ${task.queue_length ?? '?'}`];
  return [
    task.status,
    `${Math.floor(task.progress * 100)}%`,
    ...place,
    ...(task.attempt > 1 ? [`attempt ${task.attempt}`] : []),
    ...(task.assigned_agent ? [`agent ${names.of(task.assigned_agent) ?? task.assigned_agent}`] : []),
    ...(task.error ? [clean(task.error.detail)] : []),
  ];
}
