/** Tells an agent that its work is no longer wanted. Best effort: whatever it sends afterwards is ignored anyway. */
import type { Deps } from '../../deps.ts';
import type { TaskStep } from '../../schema/task-flow.ts';
import { cancelOnAgent } from '../../services/agents/calls.ts';
import { readTurn } from '../../stores/task-turns.ts';
import { calledAgent } from './ends.ts';

/** `told` is false where there is nobody to tell. */
export async function tellCancelled(deps: Deps, step: TaskStep, signal: AbortSignal): Promise<{ told: boolean }> {
  const turn = await readTurn(deps.db, step);
  const agent = turn && calledAgent(turn);
  return agent ? cancelOnAgent(deps, agent, step, signal) : { told: false };
}
