/**
 * Evaluates expressions: plain ones at once, all others in a process whose memory is bounded. A thread would not do: an
 * allocation beyond its limit ends the whole process (measured on Node 24), and here it ends only the evaluator.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { inheritedEnvironment } from '../../schema/config.ts';
import { Failure } from '../../schema/failures.ts';
import type { Json } from '../../schema/json.ts';
import { holdChild } from '../hold-child.ts';
import { type ExpressionJob, perform, prepared } from './expression-job.ts';
import type { FromEvaluator, ToEvaluator } from './expression-main.ts';
import { invalid, MAX_MS, tooSlow } from './expressions.ts';

export interface Expressions {
  /**
   * What the job gives. Throws Failure('invalid_pipeline') for an error in an expression, and for more time, memory or
   * data than it may take; Failure('unavailable') when its process is ended by somebody else, again and again, or gets
   * no time. Owners who wait for an evaluator take turns.
   */
  give(job: ExpressionJob, owner: string): Promise<Json>;
  /** Ids of the processes that are there, for tests. */
  pids(): number[];
  close(): Promise<void>;
}

/** Heap of an evaluator, and most bytes of what its job reads, as JSON. */
const HEAP_MB = 96;
const MAX_SCOPE_BYTES = 4 * 1024 * 1024;
/** Evaluators at once: each job is over within a quarter of a second. */
const MOST = 2;
/**
 * It stops itself; this is for one that cannot any more, and counts from the moment it has started. Longer than all that
 * one which is given no processor may take.
 */
const DEADLINE_MS = 10 * MAX_MS;
const START_MS = 20_000;
const IDLE_MS = 60_000;
/** How a process ends by its own hand that took more memory than it may. */
const OUT_OF_MEMORY: readonly unknown[] = ['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGSEGV', 134];

interface Evaluator {
  child: ChildProcess;
  ask(job: ExpressionJob): Promise<Json>;
  spent: boolean;
}

/** Starts nothing until the first job that needs it. */
export function createExpressions(): Expressions {
  const idle: { evaluator: Evaluator; timer: NodeJS.Timeout }[] = [];
  const all = new Set<Evaluator>();
  const waiting = new Map<string, (() => void)[]>();
  let busy = 0;

  function take(): Evaluator {
    const kept = idle.pop();
    if (!kept) return start();
    clearTimeout(kept.timer);
    holdChild(kept.evaluator.child, true);
    return kept.evaluator;
  }

  function start(): Evaluator {
    const evaluator = startEvaluator();
    const gone = () => {
      all.delete(evaluator);
      forget(evaluator);
    };
    evaluator.child.once('exit', gone).once('error', gone);
    all.add(evaluator);
    return evaluator;
  }

  function keep(evaluator: Evaluator): void {
    if (!all.has(evaluator)) return;
    if (evaluator.spent) {
      evaluator.child.kill('SIGKILL');
      return;
    }
    const timer = setTimeout(() => {
      forget(evaluator);
      evaluator.child.kill('SIGKILL');
    }, IDLE_MS).unref();
    holdChild(evaluator.child, false);
    idle.push({ evaluator, timer });
  }

  function forget(evaluator: Evaluator): void {
    const at = idle.findIndex((one) => one.evaluator === evaluator);
    if (at >= 0) clearTimeout(idle.splice(at, 1)[0]?.timer);
  }

  async function inProcess(job: ExpressionJob, owner: string): Promise<Json> {
    if (busy >= MOST) {
      await new Promise<void>((resolve) => waiting.set(owner, [...(waiting.get(owner) ?? []), resolve]));
    } else busy += 1;
    try {
      // It changes nothing, so that it can be asked again where the evaluator ended by what may be no fault of its own.
      const first = take();
      return await once(job, first).catch((error) => {
        const gone = !all.has(first) || !first.child.connected;
        if (isUnavailable(error) && gone) return once(job, start());
        throw error;
      });
    } catch (error) {
      // The same befell a fresh one: by all one can tell it is the expression.
      throw isUnavailable(error) && error.cause instanceof Failure ? error.cause : error;
    } finally {
      nextInTurn();
    }
  }

  /** The owner who waited longest for a turn; whoever has more to ask goes to the end. */
  function nextInTurn(): void {
    const [turn] = waiting;
    if (turn === undefined) {
      busy -= 1;
      return;
    }
    const [owner, [next, ...others]] = turn;
    waiting.delete(owner);
    if (others.length > 0) waiting.set(owner, others);
    next?.();
  }

  async function once(job: ExpressionJob, evaluator: Evaluator): Promise<Json> {
    try {
      return await evaluator.ask(job);
    } finally {
      keep(evaluator);
    }
  }

  return {
    async give(asked, owner) {
      const { job, plain } = prepared(asked);
      if (plain) return perform(job);
      const bytes = Buffer.byteLength(JSON.stringify(job));
      if (bytes > MAX_SCOPE_BYTES) throw invalid(`reads ${bytes} bytes; ${MAX_SCOPE_BYTES} are allowed`);
      return inProcess(job, owner);
    },
    pids: () => [...all].flatMap(({ child }) => child.pid ?? []),
    async close() {
      await Promise.all(
        [...all].map(({ child }) => {
          const gone = new Promise((resolve) => child.once('exit', resolve));
          holdChild(child, true);
          child.kill('SIGKILL');
          return gone;
        }),
      );
    },
  };
}

function isUnavailable(error: unknown): error is Failure {
  return error instanceof Failure && error.code === 'unavailable';
}

function startEvaluator(): Evaluator {
  const { PATH, LD_LIBRARY_PATH } = inheritedEnvironment();
  const child = fork(new URL('./expression-main.ts', import.meta.url), [], {
    execArgv: [`--max-old-space-size=${HEAP_MB}`, '--max-semi-space-size=4'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    // No setting and no secret goes along.
    env: { TZ: 'UTC', ...(PATH ? { PATH } : {}), ...(LD_LIBRARY_PATH ? { LD_LIBRARY_PATH } : {}) },
  });
  let ids = 0;
  let fresh = true;
  let asked: { id: number; resolve(value: Json): void; reject(error: Error): void; timer: NodeJS.Timeout } | null =
    null;
  let late = false;

  const settle = (act: (one: NonNullable<typeof asked>) => void): void => {
    const one = asked;
    asked = null;
    if (one === null) return;
    clearTimeout(one.timer);
    act(one);
  };
  const fail = (error: Error): void => settle(({ reject }) => reject(error));
  child.on('message', (message: FromEvaluator) => {
    fresh = false;
    evaluator.spent = message.spent;
    if (message.id !== asked?.id) return;
    if ('value' in message) settle(({ resolve }) => resolve(message.value));
    else if ('invalid' in message) fail(invalid(message.invalid));
    else if ('unavailable' in message) fail(new Failure('unavailable', message.unavailable));
    else fail(new Error(message.broken));
  });
  child.on('error', () => fail(new Failure('unavailable', 'The evaluator of expressions could not be started')));
  child.on('exit', (code, signal) => {
    const tooLarge = invalid(`takes more memory than ${HEAP_MB} MiB`);
    if (OUT_OF_MEMORY.includes(signal ?? code)) return fail(tooLarge);
    // It may have been given no time; a system short of memory may have ended it for what others took. `cause` is what
    // it is once a fresh one ends so too.
    const cause = late ? tooSlow() : signal === 'SIGKILL' ? tooLarge : undefined;
    fail(new Failure('unavailable', `The evaluator of expressions ended (${signal ?? code})`, { cause }));
  });
  const evaluator: Evaluator = {
    child,
    spent: false,
    ask: (job) =>
      new Promise((resolve, reject) => {
        ids += 1;
        const timer = setTimeout(
          () => {
            late = true;
            child.kill('SIGKILL');
          },
          DEADLINE_MS + (fresh ? START_MS : 0),
        );
        asked = { id: ids, resolve, reject, timer };
        child.send({ id: ids, job } satisfies ToEvaluator, (error) => {
          if (error) fail(new Failure('unavailable', 'The evaluator of expressions does not answer'));
        });
      }),
  };
  return evaluator;
}
