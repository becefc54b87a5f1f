/** The call to an agent for an attempt: made once, waited for here or by another step, and written down. */
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { JsonObject } from '../../schema/json.ts';
import { PRIORITIES } from '../../schema/names.ts';
import type { TaskStep, TaskTurn } from '../../schema/task-flow.ts';
import { type CalledAgent, callAgent, callMcpAgent } from '../../services/agents/calls.ts';
import { leaseSeconds } from '../../services/tasks/lease.ts';
import { settleAttempt } from '../../services/tasks/settle.ts';
import { markRunning, renewLease, reportProgress, type Turn } from '../../stores/task-turns.ts';
import type { Answer, Calls } from './calls.ts';
import { calledAgent, completed, failed, lost } from './ends.ts';

/** A call that ends so close to the end of its time has run out of it: timers may be early by a little. */
const CLOSE_MS = 20;
/** What is answered within this time is written down in one go, begun and ended. */
const MARK_AFTER_MS = 50;
/** A step that does not wait holds a place of the workflow worker: what takes longer goes on elsewhere. */
const AT_ONCE_MS = 150;

/** Calls the agent, or joins the call that another step of the attempt began; see `beginAttempt`. */
export async function callForAttempt(
  deps: Deps,
  calls: Calls,
  step: TaskStep,
  turn: Turn,
  { signal, waits }: { signal: AbortSignal; waits: boolean },
): Promise<TaskTurn> {
  const agent = calledAgent(turn);
  if (agent === null) return lost(deps, step, `Agent ${turn.agent_id} is not registered any more`);
  if (turn.left_ms <= 0)
    return { kind: 'over', next: await settleAttempt(deps, step, { ending: { kind: 'timeout' } }) };
  // Of a step that is not wanted any more the listener below would never hear.
  signal.throwIfAborted();
  const timeoutMs = Math.ceil(turn.left_ms);
  const running = markSoon(deps, turn);
  const underWay = calls.take(step, timeoutMs, (stop) =>
    (turn.mode === 'mcp' ? callMcp : push)(deps, turn, agent, { timeoutMs, signal: stop }),
  );
  const stop = () => underWay.breakOff(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const answer = waits ? underWay.answer : Promise.race([underWay.answer, later(AT_ONCE_MS)]);
    const said = await answer.catch((error: unknown) => {
      if (signal.aborted || !(error instanceof Failure)) {
        underWay.forget();
        throw error;
      }
      return error;
    });
    const after = await settle(deps, { ...step, calls, running, timeoutMs, until: underWay.until }, said);
    if (after.kind === 'calling') underWay.leave();
    else underWay.forget();
    return after;
  } catch (error) {
    // What the agent said is kept for the step that is tried again: it must not be called twice for our sake.
    underWay.leave();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    await running.settled().catch(() => {});
  }
}

interface Underway extends TaskStep {
  calls: Calls;
  running: Marking;
  timeoutMs: number;
  until: number;
}

/** Writes down what came of a call. */
async function settle(deps: Deps, of: Underway, said: Answer | 'later' | Failure): Promise<TaskTurn> {
  const { calls, running, timeoutMs, until, ...step } = of;
  if (said === 'later') {
    await running.now();
    return { kind: 'calling', queue: calls.queue };
  }
  if (said === null) {
    await running.now();
    const seconds = leaseSeconds(deps.config);
    await renewLease(deps.db, step, seconds);
    return { kind: 'working', look_in_ms: Math.min(seconds * 1000, timeoutMs) };
  }
  await running.settled();
  if (said instanceof Failure) return failed(deps, step, said, performance.now() >= until - CLOSE_MS);
  return completed(deps, step, said);
}

function later(ms: number): Promise<'later'> {
  return new Promise((resolve) => setTimeout(resolve, ms, 'later'));
}

/**
 * The agent need not wait until it is written down that it was called; and of one that answers at once it is written
 * together with its end.
 */
interface Marking {
  now(): Promise<void>;
  settled(): Promise<void>;
}

function markSoon(deps: Deps, turn: Turn): Marking {
  let marking: Promise<void> | undefined;
  const mark = () => {
    marking ??= markRunning(deps.db, turn, turn.agent_id);
    marking.catch(() => {});
    return marking;
  };
  const timer = setTimeout(mark, MARK_AFTER_MS);
  const stop = () => clearTimeout(timer);
  return {
    now: () => {
      stop();
      return mark();
    },
    settled: async () => {
      stop();
      await marking;
    },
  };
}

/** Null: it answered 202 and will call back. */
async function push(
  deps: Deps,
  turn: Turn,
  agent: CalledAgent,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<JsonObject | null> {
  const answer = await callAgent(
    deps,
    agent,
    {
      task_id: turn.task_id,
      attempt: turn.attempt,
      type: turn.type,
      payload: turn.payload,
      timeout_seconds: turn.timeout_seconds,
      deadline: new Date(Date.now() + options.timeoutMs).toISOString(),
      priority: PRIORITIES[turn.priority] ?? 'medium',
      pipeline_id: turn.pipeline_id,
      stage: turn.stage,
    },
    options,
  );
  return answer.status === 202 ? null : answer.result;
}

/** The payload is the call, `{tool, arguments}`. */
async function callMcp(
  deps: Deps,
  turn: Turn,
  agent: CalledAgent,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<JsonObject> {
  const { tool, arguments: given } = turn.payload;
  if (typeof tool !== 'string' || tool === '') {
    throw new Failure('invalid_input', 'The payload of a task for an MCP server names no tool: {"tool", "arguments"}');
  }
  const args = typeof given === 'object' && given !== null && !Array.isArray(given) ? given : {};
  return callMcpAgent(
    deps,
    agent,
    { tool, arguments: args },
    {
      ...options,
      onProgress: (share) => {
        if (share === null) return;
        const report = {
          agent_id: agent.agent_id,
          progress: share,
          lease_seconds: leaseSeconds(deps.config),
          at: new Date(),
        };
        reportProgress(deps.db, turn, report).catch((err) => deps.log.warn({ err }, 'progress could not be written'));
      },
    },
  );
}
