/** What a request carries through the API's middleware. */
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { FailureCode } from '../schema/failures.ts';
import type { Principal } from '../schema/principal.ts';
import type { RateState } from '../stores/rate-limits.ts';

export interface ApiEnv {
  /** Absent where a test calls `app.request()` without a socket. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    requestId: string;
    /** Set behind `authenticate`. */
    principal: Principal;
    /** For the request's log line. */
    operation: string;
    workflowId: string;
    /** The failure that is answered with, unless whoever ran the operation counted it already. */
    uncounted: FailureCode | undefined;
    /** Where the caller stands in the limit that this request counted against. */
    rate: RateState;
  };
}

export type ApiContext = Context<ApiEnv>;

/** The address of the peer itself. Forwarding headers are not believed: anybody can write them. */
export function peerAddress(c: ApiContext): string | null {
  const address = c.env?.incoming?.socket?.remoteAddress ?? null;
  return address?.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}
