/** Finds out who is calling, from an API key, an agent's token, a session, a JWT, or a token that another service knows. */
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { Logger } from 'pino';
import { createIntrospection, type TokenService } from '../../clients/introspection.ts';
import { createUserService } from '../../clients/introspection-user-service.ts';
import { createIdentityHttp, type IdentityHttp } from '../../clients/oauth-http.ts';
import type { Config } from '../../schema/config.ts';
import type { Principal } from '../../schema/principal.ts';
import type { Db } from '../../stores/database.ts';
import { createExternalVerifier, type ExternalVerifier } from './external.ts';
import { createIssuerVerifier, type IssuerConfig } from './issuer.ts';
import { createJwtVerifier } from './jwt.ts';
import { refused } from './refused.ts';
import { isOurs } from './secrets.ts';
import { type Credential, createStoredCredentials } from './stored-credentials.ts';

export { type Credential, REVOCATION_BOUND_MS } from './stored-credentials.ts';

/** Three parts of which the first begins with `{"` in base64url; an API_KEY of one's own may hold dots. */
const JWT = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/;

/** What may be sent on in a header. */
const PLAIN = /^[\x21-\x7e]{1,8192}$/;

export type AccessConfig = IssuerConfig &
  Pick<
    Config,
    'JWT_SECRET' | 'FLASK_API_URL' | 'INTROSPECTION_URL' | 'INTROSPECTION_CLIENT_ID' | 'INTROSPECTION_CLIENT_SECRET'
  >;

export interface Authenticator {
  /**
   * Throws Failure('unauthenticated') for anything unknown, expired or revoked and never says which to the caller, and
   * Failure('unavailable') when that cannot be told because a service that would know is away.
   */
  authenticate(credential: Credential): Promise<Principal>;
}

/**
 * Keys and JWTs may come in the same header; a JWT is told by its shape, and its claim `iss` decides who verifies it:
 * one of JWT_ISSUER is checked against that issuer's keys and nothing else, any other against our own secret. What
 * neither the database nor our secret knows goes to the user service and to introspection, where these are configured.
 */
export function createAuthenticator(options: {
  db: Db;
  config: AccessConfig;
  now?: () => number;
  log?: Logger;
  /** Only tests give another. */
  http?: IdentityHttp;
}): Authenticator {
  const { db, config, log } = options;
  const now = options.now ?? Date.now;
  const http = options.http ?? createIdentityHttp();
  const stored = createStoredCredentials(db, now);
  const verifyOwn = createJwtVerifier(config.JWT_SECRET ?? null, now);
  const issuer = createIssuerVerifier({ config, http, now, log });
  const external = createExternal({ config, http, now, log });

  async function askOthers(token: string): Promise<Principal> {
    if (!external || !PLAIN.test(token)) throw refused();
    return external.verify(token);
  }

  async function byJwt(token: string): Promise<Principal> {
    const { alg, iss } = peek(token);
    if (alg === undefined || alg.toLowerCase() === 'none') throw refused();
    if (issuer && iss === issuer.issuer) return issuer.verify(token);
    return (await verifyOwn(token)) ?? askOthers(token);
  }

  return {
    async authenticate(credential) {
      if (credential.kind === 'token' && JWT.test(credential.value)) return byJwt(credential.value);
      const principal = await stored.find(credential);
      if (principal) return principal;
      if (credential.kind === 'session' || isOurs(credential.value)) throw refused();
      return askOthers(credential.value);
    },
  };
}

function createExternal(options: {
  config: AccessConfig;
  http: IdentityHttp;
  now: () => number;
  log: Logger | undefined;
}): ExternalVerifier | null {
  const { config, http } = options;
  const services: TokenService[] = [];
  if (config.FLASK_API_URL !== undefined) services.push(createUserService({ url: config.FLASK_API_URL, http }));
  if (config.INTROSPECTION_URL !== undefined) {
    services.push(
      createIntrospection({
        url: config.INTROSPECTION_URL,
        clientId: config.INTROSPECTION_CLIENT_ID,
        clientSecret: config.INTROSPECTION_CLIENT_SECRET,
        http,
      }),
    );
  }
  return services.length === 0 ? null : createExternalVerifier({ ...options, services, audience: config.JWT_AUDIENCE });
}

/** What a token says of itself, unverified: it only decides who is asked. Both undefined for what cannot be read. */
function peek(token: string): { alg: string | undefined; iss: string | undefined } {
  try {
    const { alg } = decodeProtectedHeader(token);
    return { alg: typeof alg === 'string' ? alg : undefined, iss: decodeJwt(token).iss };
  } catch {
    return { alg: undefined, iss: undefined };
  }
}
