/** Tokens of the issuer that JWT_ISSUER names, checked against the keys it publishes. */
import { type CryptoKey, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Logger } from 'pino';
import { createJwks, discoverJwksUrl, PUBLIC_KEY_ALGORITHMS } from '../../clients/jwks.ts';
import type { IdentityHttp } from '../../clients/oauth-http.ts';
import type { Config } from '../../schema/config.ts';
import type { Principal } from '../../schema/principal.ts';
import { foreignId, shownName } from './foreign-ids.ts';
import { CLOCK_SKEW_SECONDS } from './jwt.ts';
import { refused } from './refused.ts';
import { claimAt, strongestRole } from './roles.ts';

export type IssuerConfig = Pick<
  Config,
  'JWT_ISSUER' | 'JWT_AUDIENCE' | 'JWT_JWKS_URL' | 'JWT_ROLE_CLAIM' | 'publicUrl'
>;

export interface IssuerVerifier {
  /** What the claim `iss` of its tokens says. */
  issuer: string;
  /** Throws Failure('unauthenticated'), or 'unavailable' when the key is unknown and the issuer cannot be asked. */
  verify(token: string): Promise<Principal>;
}

/**
 * Null without JWT_ISSUER. A token must be meant for JWT_AUDIENCE, or for our own address when that is not set: one
 * that the issuer gave for another service opens nothing here. The role comes from JWT_ROLE_CLAIM; without a known one
 * the token is refused. Grants are ours to give, so none are read.
 */
export function createIssuerVerifier(options: {
  config: IssuerConfig;
  http: IdentityHttp;
  now?: () => number;
  log?: Logger | undefined;
}): IssuerVerifier | null {
  const { config, http, log } = options;
  const now = options.now ?? Date.now;
  if (config.JWT_ISSUER === undefined) return null;
  const issuer: string = config.JWT_ISSUER;
  const audience = config.JWT_AUDIENCE ?? config.publicUrl;
  const jwks = createJwks({
    http,
    locate: async () => config.JWT_JWKS_URL ?? discoverJwksUrl(http, issuer),
    now,
    onFailure: (failure) => log?.warn({ reason: failure.message }, 'the keys of JWT_ISSUER could not be read'),
  });

  async function claimsOf(token: string): Promise<JWTPayload> {
    const keys = await jwks.keysFor(decodeProtectedHeader(token));
    for (const key of keys) {
      const claims = await verifyWith(token, key);
      if (claims) return claims;
    }
    throw new Error('no published key verifies it');
  }

  /** Null when another key signed it. */
  async function verifyWith(token: string, key: CryptoKey): Promise<JWTPayload | null> {
    try {
      const verified = await jwtVerify(token, key, {
        algorithms: PUBLIC_KEY_ALGORITHMS,
        issuer,
        audience,
        clockTolerance: CLOCK_SKEW_SECONDS,
        requiredClaims: ['sub', 'exp'],
        currentDate: new Date(now()),
      });
      return verified.payload;
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) return null;
      throw error;
    }
  }

  function principalOf(claims: JWTPayload): Principal {
    // The library looks at `iat` only when a greatest age is asked for.
    if (claims.iat !== undefined && claims.iat > now() / 1000 + CLOCK_SKEW_SECONDS) {
      throw new Error('issued in the future');
    }
    const id = foreignId(issuer, claims.sub);
    const role = strongestRole(claimAt(claims, config.JWT_ROLE_CLAIM));
    if (id === null) throw new Error('no usable sub');
    if (role === null) throw new Error(`no known role in ${config.JWT_ROLE_CLAIM}`);
    const name = shownName(id, claims.name, claims.preferred_username, claims.email);
    return { id, name, role, grants: [], via: 'jwt', keyId: null };
  }

  return {
    issuer,
    async verify(token) {
      try {
        return principalOf(await claimsOf(token));
      } catch (error) {
        if (isOutage(error)) throw error;
        // For the operator; the caller is told nothing.
        log?.debug({ reason: error instanceof Error ? error.message : 'unknown' }, 'a token of JWT_ISSUER was refused');
        throw refused(error);
      }
    },
  };
}

function isOutage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'unavailable';
}
