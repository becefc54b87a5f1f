/** What tells callers apart: one for all doors of a process, so that failures at one count at the others. */
import type { Deps } from '../deps.ts';
import { type Authenticator, createAuthenticator } from '../services/access/authenticate.ts';
import { createFailureLimit, type FailureLimit } from '../services/access/failure-limit.ts';

export interface Access {
  authenticator: Authenticator;
  limit: FailureLimit;
}

/** `failedPerMinute`: failed authentications from one address; 20 unless told. */
export function createAccess(
  { db, config, log }: Pick<Deps, 'db' | 'config' | 'log'>,
  failedPerMinute?: number,
): Access {
  return {
    authenticator: createAuthenticator({ db, config, log }),
    limit: createFailureLimit(failedPerMinute === undefined ? {} : { perMinute: failedPerMinute }),
  };
}
