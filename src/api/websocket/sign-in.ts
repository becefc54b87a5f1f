/** Signs a WebSocket in by the rules of HTTP: the same credentials, the same limits, the same audit. */
import type { Logger } from 'pino';
import type { Principal } from '../../schema/principal.ts';
import { toFailure } from '../../schema/unknown-error.ts';
import type { Credential } from '../../services/access/authenticate.ts';
import { countCall, overLimit } from '../../services/limits/rates.ts';
import { writeAudit } from '../../stores/audit.ts';
import type { Db } from '../../stores/database.ts';
import type { RateLimits } from '../../stores/rate-limits.ts';
import type { Access } from '../access.ts';

export type SignIn = (credential: Credential, address: string | null) => Promise<Principal>;

/** Throws Failure: `unauthenticated`, `too_many_requests`, or `unavailable` when nobody can tell right now. */
export function createSignIn(
  { authenticator, limit }: Access,
  deps: { db: Db; log: Logger; limits: RateLimits },
): SignIn {
  return async (credential, address) => {
    const from = address ?? 'unknown';
    limit.check(from, credential.value);
    try {
      const principal = await authenticator.authenticate(credential);
      limit.succeeded(credential.value);
      const state = await countCall(deps.limits, principal, 'read');
      if (state?.refused) throw overLimit(state);
      return principal;
    } catch (error) {
      const failure = toFailure(error);
      if (failure.code === 'unauthenticated') {
        limit.failed(from);
        await audit(deps, address);
      }
      throw failure;
    }
  };
}

async function audit({ db, log }: { db: Db; log: Logger }, address: string | null): Promise<void> {
  await writeAudit(db, {
    principal_id: null,
    role: null,
    key_id: null,
    operation: 'authenticate',
    resource: 'websocket',
    outcome: 'unauthenticated',
    request_id: null,
    address,
  }).catch((err) => log.error({ err }, 'the audit log could not be written'));
}
