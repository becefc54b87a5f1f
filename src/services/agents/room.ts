/** What follows when agents come, or get room: tasks that wait for them go on. */
import type { Deps } from '../../deps.ts';
import type { AgentStatus } from '../../schema/names.ts';
import { admitTasks } from '../tasks/settle.ts';

const AT_WORK: readonly AgentStatus[] = ['active', 'degraded'];

export const isAtWork = (status: AgentStatus): boolean => AT_WORK.includes(status);

/** Of each process: whether a round of admissions runs, and whether another one is to follow. */
const rounds = new WeakMap<Deps, { again: boolean }>();

/**
 * Nobody waits for it, and it may fail: the next round of the watch does it again. Told while a round runs, one more
 * follows, however often it was told: that one sees all that was there before.
 */
export function tellRoom(deps: Deps): void {
  const running = rounds.get(deps);
  if (running) {
    running.again = true;
    return;
  }
  const round = { again: false };
  rounds.set(deps, round);
  admitTasks(deps)
    .catch((err) => deps.log.warn({ err }, 'tasks that wait were not admitted; soon then'))
    .finally(() => {
      rounds.delete(deps);
      if (round.again) tellRoom(deps);
    });
}
