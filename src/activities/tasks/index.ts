/** The activities of tasks. */
import { Context } from '@temporalio/activity';
import type { Deps } from '../../deps.ts';
import type { StageRunner } from '../../schema/stages/contract.ts';
import type { FinishInput, TaskStep } from '../../schema/task-flow.ts';
import { byCode } from '../context.ts';
import { beginAttempt } from './begin.ts';
import { runBuiltin } from './builtin.ts';
import type { Calls } from './calls.ts';
import { askQuietAgent, finishAttempt, lookAfter } from './finish.ts';
import { tellCancelled } from './tell-cancelled.ts';

const HEARTBEAT_MS = 2_000;

export function createTaskActivities(deps: Deps, { stages: runner, calls }: { stages: StageRunner; calls: Calls }) {
  const signal = () => Context.current().cancellationSignal;
  return {
    beginAttempt: byCode(async (step: TaskStep) => {
      // Most are over before the first heartbeat is due: not one call to the engine for those.
      const context = Context.current();
      const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
      try {
        const { cancellationSignal, info } = context;
        return await beginAttempt(deps, calls, step, { signal: cancellationSignal, waits: !info.isLocal });
      } finally {
        clearInterval(timer);
      }
    }),
    runBuiltin: byCode((step: TaskStep) => runBuiltin(deps, runner, step, signal())),
    askQuietAgent: byCode((step: TaskStep) => {
      const context = Context.current();
      const kept: unknown = context.info.heartbeatDetails;
      const asked = { silences: typeof kept === 'number' ? kept : 0, keep: (n: number) => context.heartbeat(n) };
      return askQuietAgent(deps, step, asked, context.cancellationSignal);
    }),
    tellCancelled: byCode((step: TaskStep) => tellCancelled(deps, step, signal())),
    finishAttempt: byCode((step: FinishInput) => {
      // Whether an agent reported, was lost or is not wanted any more: nobody comes for its answer.
      calls.end(step);
      return finishAttempt(deps, step);
    }),
    lookAfter: byCode((step: TaskStep) => lookAfter(deps, step)),
  };
}
