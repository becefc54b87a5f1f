/** What it means when an agent does not do what it was asked: it said no, it said "not now", or it was not there. */
import { Failure } from '../schema/failures.ts';

/**
 * Statuses that say "not now": timeout, too early, too many requests, and those of whatever stands before an agent that
 * is not there. With any other status the agent itself has spoken.
 */
const LATER: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

/**
 * A failure of the network is one of the agent; what the guard refuses stays what it is. An agent whose answer is of no
 * use has answered, and would again.
 */
export function unreachable(error: unknown): unknown {
  if (!(error instanceof Failure) || error.code !== 'fetch_failed') return error;
  return new Failure(codeOf(statusOf(error)), error.message, { cause: error });
}

/** What an answer of this status leads to: "not now", or a failure of the agent in its own words. */
export function refused(status: number, retryAfter: string | undefined, host: string, detail = ''): Failure {
  const text = `${host} answered ${status}${detail ? `: ${detail}` : ''}`;
  const code = codeOf(status);
  const pause = code === 'agent_unreachable' ? secondsOf(retryAfter) : null;
  return new Failure(code, text, { cause: { status }, ...(pause === null ? {} : { retryAfterSeconds: pause }) });
}

/** Null stands for no answer at all. */
function codeOf(status: number | null): 'agent_unreachable' | 'agent_failed' {
  return status === null || LATER.has(status) ? 'agent_unreachable' : 'agent_failed';
}

/** The status of the answer that a failure is about; null when there was none. */
function statusOf(error: Failure): number | null {
  return (error.cause as { status?: number } | undefined)?.status ?? null;
}

/** Retry-After in either of its forms, in seconds from now. */
function secondsOf(retryAfter: string | undefined): number | null {
  if (retryAfter === undefined) return null;
  const seconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : null;
}

/** Whether the agent did not take us for who we are. */
export function isUnproven(error: unknown): boolean {
  return error instanceof Failure && statusOf(error) === 401;
}
