/** The schedule that looks after agents, and a nudge for it. */
import type { Deps } from '../../deps.ts';

export const WATCH_SCHEDULE = 'ostinato-agents';

/** Begins to watch now rather than at the next full minute. Nobody waits for it, and it may fail: the schedule runs anyway. */
export function triggerWatch(deps: Pick<Deps, 'temporal' | 'log'>): void {
  deps.temporal.schedule
    .getHandle(WATCH_SCHEDULE)
    .trigger()
    .catch((error) => deps.log.debug({ err: error }, 'the watch of agents begins with its schedule'));
}
