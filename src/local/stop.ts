/** Requests to stop: SIGINT, SIGTERM, SIGHUP, or the end of the launcher that started this process. */
import { inheritedEnvironment } from '../schema/config.ts';
import { watchParentProcess } from './parent-watch.ts';

export interface StopRequest {
  /** Resolves at the first request. */
  signalled: Promise<void>;
  was(): boolean;
}

/** A terminal and a launcher may both deliver the same Ctrl-C; a second one after this time means it. */
const REPEAT_MS = 2_000;

/** The first request is kept; a later one by hand ends the process at once, and the kernel ends its children. */
export function stopRequested(): StopRequest {
  let first: number | undefined;
  let resolve: () => void = () => {};
  const signalled = new Promise<void>((done) => {
    resolve = done;
  });
  const request = () => {
    if (first === undefined) {
      first = Date.now();
      resolve();
    } else if (Date.now() - first > REPEAT_MS) {
      process.exit(130);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, request);
  // Started by hand the parent is a shell, which may end while this goes on.
  if (inheritedEnvironment().OSTINATO_LAUNCHER === String(process.ppid)) watchParentProcess(request);
  return { signalled, was: () => first !== undefined };
}
