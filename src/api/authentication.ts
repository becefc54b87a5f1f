/** Middleware: no request goes on without a valid credential. */
import type { MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import { Failure } from '../schema/failures.ts';
import type { Principal } from '../schema/principal.ts';
import { toFailure } from '../schema/unknown-error.ts';
import type { Authenticator, Credential } from '../services/access/authenticate.ts';
import type { FailureLimit } from '../services/access/failure-limit.ts';
import { writeAudit } from '../stores/audit.ts';
import type { Db } from '../stores/database.ts';
import { type ApiContext, type ApiEnv, peerAddress } from './context.ts';
import { type CookieSettings, readSessionCookie, requireSameOrigin } from './cookies.ts';
import { problem } from './problems.ts';

export interface Gate {
  /** The caller, or a Failure. Failed attempts are counted by address and written to the audit log. */
  identify(c: ApiContext): Promise<Principal>;
  /** The same, with null for anything but success and nothing counted: for pages that show more to callers they know. */
  glance(c: ApiContext): Promise<Principal | null>;
  /** Whether the credential of a request that is still going on holds; true when nobody can tell right now. Nothing is counted. */
  holds(c: ApiContext): Promise<boolean>;
}

export interface GateOptions {
  authenticator: Authenticator;
  limit: FailureLimit;
  db: Db;
  log: Logger;
  cookies: CookieSettings;
}

export function createGate(options: GateOptions): Gate {
  const { authenticator, limit, cookies } = options;
  return {
    async identify(c) {
      const credential = readCredential(c, cookies);
      const address = peerAddress(c) ?? 'unknown';
      limit.check(address, credential.value);
      const principal = await authenticator.authenticate(credential).catch(async (error: unknown) => {
        const failure = toFailure(error);
        if (failure.code === 'unauthenticated') {
          limit.failed(address);
          await auditFailure(options, c);
        }
        throw failure;
      });
      limit.succeeded(credential.value);
      if (credential.kind === 'session') requireSameOrigin(c);
      return principal;
    },
    async holds(c) {
      try {
        await authenticator.authenticate(readCredential(c, cookies));
        return true;
      } catch (error) {
        return toFailure(error).code !== 'unauthenticated';
      }
    },
    async glance(c) {
      try {
        const credential = readCredential(c, cookies);
        limit.check(peerAddress(c) ?? 'unknown', credential.value);
        return await authenticator.authenticate(credential);
      } catch {
        return null;
      }
    },
  };
}

/** `onMissing` may answer a browser with a page instead of a problem. */
export function authentication(
  gate: Gate,
  onMissing: (c: ApiContext) => Response | undefined = () => undefined,
): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    let principal: Principal;
    try {
      principal = await gate.identify(c);
    } catch (error) {
      const failure = toFailure(error);
      const refusal = problem(c, failure);
      return (failure.code === 'unauthenticated' && onMissing(c)) || refusal;
    }
    c.set('principal', principal);
    return next();
  };
}

/** `Authorization` before `X-API-Key` before the cookie. */
function readCredential(c: ApiContext, cookies: CookieSettings): Credential {
  const authorization = c.req.header('authorization');
  if (authorization !== undefined) {
    const token = /^Bearer +([\x21-\x7e]{1,8192})$/i.exec(authorization)?.[1];
    if (token === undefined) throw new Failure('unauthenticated', 'Authorization must be `Bearer <key or token>`');
    return { kind: 'token', value: token };
  }
  const key = c.req.header('x-api-key');
  if (key) return { kind: 'token', value: key };
  const session = readSessionCookie(c, cookies);
  if (session) return { kind: 'session', value: session };
  throw new Failure('unauthenticated', 'Give a key as `Authorization: Bearer <key>` or `X-API-Key: <key>`');
}

async function auditFailure(options: GateOptions, c: ApiContext): Promise<void> {
  await writeAudit(options.db, {
    principal_id: null,
    role: null,
    key_id: null,
    operation: 'authenticate',
    resource: null,
    outcome: 'unauthenticated',
    request_id: c.get('requestId') ?? null,
    address: peerAddress(c),
  }).catch((err) => options.log.error({ err }, 'the audit log could not be written'));
}
