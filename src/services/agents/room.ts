/** What follows when agents come, or get room: tasks that wait for them go on. */
import type { Deps } from '../../deps.ts';
import type { AgentStatus } from '../../schema/names.ts';
import { admitTasks } from '../tasks/settle.ts';

const AT_WORK: readonly AgentStatus[] = ['active', 'degraded'];

export const isAtWork = (status: AgentStatus): boolean => AT_WORK.includes(status);

/** Nobody waits for it, and it may fail: the next round of the watch does it again. */
export function tellRoom(deps: Deps): void {
  admitTasks(deps).catch((err) => deps.log.warn({ err }, 'tasks that wait were not admitted; soon then'));
}
