/** How long a body may be on its way: what is no upload must be whole within a fixed time, however steadily it crawls. */
import { Failure } from './failures.ts';

/**
 * What `body` resolves with, unless it takes longer than `seconds`: then Failure('request_timeout'). The reading itself
 * is left to the end of the connection, which follows an answer to a request that was not read whole.
 */
export async function inBodyTime<T>(body: Promise<T>, seconds: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Failure('request_timeout', `The body did not arrive within ${seconds} s (BODY_TIMEOUT)`)),
    seconds * 1_000,
  );
  try {
    return await Promise.race([body, late]);
  } finally {
    clearTimeout(timer);
    // Cut off later, it fails with nobody left to hear.
    body.catch(() => undefined);
  }
}
