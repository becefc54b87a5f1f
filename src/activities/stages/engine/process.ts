/** The worker's end of one engine process: asks, waits, and ends it when an answer is no longer wanted. */

import { fork } from 'node:child_process';
import { inheritedEnvironment } from '../../../schema/config.ts';
import { Failure } from '../../../schema/failures.ts';
import { holdChild } from '../../../services/hold-child.ts';
import type { Answer, EngineError, FromEngine, Task, ToEngine } from './messages.ts';

/** `ask` throws what `explain` makes of the engine's error. */
export interface EngineProcess {
  ask(task: Task, explain: (error: EngineError) => Error): Promise<Answer>;
  /** Called with the share of the statement that runs, 0 to 1. */
  onShare: ((share: number) => void) | null;
  /** False once it has ended. */
  readonly alive: boolean;
  /** Whether it may stay in the background without keeping this process alive. */
  rest(resting: boolean): void;
  kill(): void;
  ended: Promise<void>;
}

/** Exit codes by which an engine says that it took more than it may (`engine/main.ts`). */
const OVER_LIMITS: Record<number, string> = {
  86: 'The stage takes more memory than STAGE_MEMORY_MB allows',
  87: 'The stage writes more than STAGE_TEMP_MB allows',
};
/** What a program needs to start and to find its libraries; no setting and no secret goes along. */
const PASSED_ON = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SystemRoot', 'TEMP', 'TMP'];

export function startEngine(): EngineProcess {
  const inherited = inheritedEnvironment();
  const child = fork(new URL('./main.ts', import.meta.url), [], {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: {
      TZ: 'UTC',
      ...Object.fromEntries(PASSED_ON.flatMap((key) => (inherited[key] === undefined ? [] : [[key, inherited[key]]]))),
    },
  });
  const waiting = new Map<
    number,
    { resolve(answer: Answer): void; reject(error: Error): void; explain(error: EngineError): Error }
  >();
  const ended = Promise.withResolvers<void>();
  let ids = 0;
  let alive = true;

  child.on('message', (message: FromEngine) => {
    if ('share' in message) {
      engine.onShare?.(message.share);
      return;
    }
    const asked = waiting.get(message.id);
    waiting.delete(message.id);
    if ('answer' in message) asked?.resolve(message.answer);
    else asked?.reject(asked.explain(message.error));
  });
  const end = (failure: Failure) => {
    alive = false;
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
    ended.resolve();
  };
  child.on('error', () => end(new Failure('unavailable', 'The data engine could not be started')));
  child.on('exit', (code, signal) => end(exitFailure(code, signal)));

  const engine: EngineProcess = {
    onShare: null,
    get alive() {
      return alive;
    },
    ask: (task, explain) =>
      new Promise((resolve, reject) => {
        if (!alive) {
          reject(new Failure('unavailable', 'The data engine has ended'));
          return;
        }
        ids += 1;
        waiting.set(ids, { resolve, reject, explain });
        child.send({ id: ids, task } satisfies ToEngine, (error) => {
          if (error) end(new Failure('unavailable', 'The data engine does not answer'));
        });
      }),
    rest: (resting) => holdChild(child, !resting),
    kill: () => void child.kill('SIGKILL'),
    ended: ended.promise,
  };
  return engine;
}

function exitFailure(code: number | null, signal: NodeJS.Signals | null): Failure {
  const limit = OVER_LIMITS[code ?? 0];
  if (limit !== undefined) return new Failure('resource_limit', limit);
  return new Failure('unavailable', `The data engine ended (${signal ?? code})`);
}
