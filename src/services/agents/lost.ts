/** Tells the tasks of an agent that is gone, so that they move to others. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import { MESSAGES } from '../../schema/names.ts';
import type { HeldTask } from '../../stores/agents-rows.ts';
import { signalRun } from '../engine.ts';

/** Nobody waits longer for an engine that does not answer. */
const TELL_MS = 5_000;

/** Repeatable: the workflow takes the first for an attempt and ignores the rest. What cannot be told now is told by the next round. */
export async function tellLost(deps: Deps, tasks: HeldTask[]): Promise<void> {
  await Promise.all(
    tasks.map(async ({ workflow_id, attempt, agent_id }) => {
      try {
        await deps.temporal.withDeadline(Date.now() + TELL_MS, () =>
          signalRun(deps, workflow_id, MESSAGES.agentLost, { attempt }),
        );
      } catch (error) {
        // Over, or not started yet: nothing to move.
        if (error instanceof Failure && error.code === 'conflict') return;
        deps.log.warn({ err: error, workflow_id, agent_id }, 'a task could not be told that its agent is gone');
      }
    }),
  );
}
