/** Looks after the agents for the better part of a minute, round after round; the schedule's next run goes on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { AgentWatch, Round } from '../../services/agents/watch.ts';
import { anythingToWatch } from '../../stores/agents-rows.ts';
import { keepAlive } from '../context.ts';

/** From when it was first scheduled, so that a retry does not run into the schedule's next run. */
const WATCH_MS = 55_000;
const LONGEST_PAUSE_MS = 5_000;

export interface Watched {
  rounds: number;
  /** What the last round saw. */
  last: Round | null;
}

/**
 * At least one round, and a third of a heartbeat between them. Resolves at once when there is nobody to look after. A
 * worker that stops fails it, so that another takes over at once. `stopping` is that worker's.
 */
export async function watchAgents(
  deps: Pick<Deps, 'db' | 'config'>,
  watch: AgentWatch,
  stopping: AbortSignal,
): Promise<Watched> {
  const { info, cancellationSignal } = Context.current();
  const until = info.scheduledTimestampMs + WATCH_MS;
  const pause = Math.min(LONGEST_PAUSE_MS, (deps.config.AGENT_HEARTBEAT_SECONDS * 1000) / 3);
  const signal = AbortSignal.any([stopping, cancellationSignal]);
  const stop = keepAlive(() => null);
  const done: Watched = { rounds: 0, last: null };
  try {
    while (await anythingToWatch(deps.db)) {
      done.last = await watch.round(signal);
      done.rounds += 1;
      if (Date.now() + pause >= until) break;
      await sleep(pause, undefined, { signal });
    }
    return done;
  } catch (error) {
    if (stopping.aborted) throw new Failure('unavailable', 'The worker stops; another one goes on', { cause: error });
    throw error;
  } finally {
    stop();
  }
}
