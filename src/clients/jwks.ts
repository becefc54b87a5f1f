/** The public keys of a token issuer: found, cached, and asked for again when one is missing or they are old. */
import { type CryptoKey, createLocalJWKSet, errors, type JWK, type JWSHeaderParameters } from 'jose';
import { Failure } from '../schema/failures.ts';
import { type IdentityHttp, outage, readObject } from './oauth-http.ts';

/** How long keys are used without asking whether they are still the issuer's. */
const FRESH_MS = 600_000;
/** Least time between two questions, whatever tokens come in. */
const SPACING_MS = 10_000;
const MAX_KEYS = 100;
/** Keys without an id that suit one token; more are not tried. */
const MAX_CANDIDATES = 8;

/** Signature algorithms that are taken, all with a public key. HS* would make the public key a shared secret. */
export const PUBLIC_KEY_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'];

export interface Jwks {
  /**
   * Keys that may have signed a token with this header; none when the issuer has no such key. Throws
   * Failure('unavailable') when the key is unknown and the issuer cannot be asked.
   */
  keysFor(header: JWSHeaderParameters): Promise<CryptoKey[]>;
}

type LocalSet = ReturnType<typeof createLocalJWKSet>;

/**
 * Keys that are known stay in use while the issuer is away. `locate` gives the address of the key set and may throw
 * Failure('unavailable').
 */
export function createJwks(options: {
  http: IdentityHttp;
  locate: () => Promise<string>;
  now?: () => number;
  onFailure?: (failure: Failure) => void;
}): Jwks {
  const { http, locate } = options;
  const now = options.now ?? Date.now;
  let known: LocalSet | null = null;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let triedAt = Number.NEGATIVE_INFINITY;
  let failure: Failure | null = null;
  let flight: Promise<void> | null = null;

  async function refresh(): Promise<void> {
    triedAt = now();
    try {
      const url = await locate();
      const { host } = new URL(url);
      const answer = await http(url);
      if (answer.status !== 200) throw answer.outage();
      const { keys } = readObject(answer, host);
      if (!Array.isArray(keys)) throw outage(host, 'answered without a list of keys');
      known = createLocalJWKSet({ keys: keys.slice(0, MAX_KEYS).filter(isPublicKey) });
      fetchedAt = now();
      failure = null;
    } catch (error) {
      failure = error instanceof Failure ? error : new Failure('unavailable', 'No keys', { cause: error });
      options.onFailure?.(failure);
    }
  }

  /** One question at a time, and no two within SPACING_MS; joins the one under way. */
  async function ask(): Promise<void> {
    if (!flight && now() - triedAt < SPACING_MS) return;
    flight ??= refresh().finally(() => {
      flight = null;
    });
    await flight;
  }

  return {
    async keysFor(header) {
      if (!PUBLIC_KEY_ALGORITHMS.includes(String(header.alg))) return [];
      if (now() - fetchedAt >= FRESH_MS) await ask();
      let found = known ? await pick(known, header) : [];
      if (found.length === 0) {
        await ask();
        found = known ? await pick(known, header) : [];
      }
      if (found.length === 0 && failure) {
        throw new Failure('unavailable', failure.message, {
          cause: failure,
          retryAfterSeconds: Math.max(1, Math.ceil((triedAt + SPACING_MS - now()) / 1_000)),
        });
      }
      return found;
    },
  };
}

/** Where an issuer says its keys are (OpenID Connect Discovery 1.0, section 4). */
export async function discoverJwksUrl(http: IdentityHttp, issuer: string): Promise<string> {
  const { host, protocol } = new URL(issuer);
  const answer = await http(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  if (answer.status !== 200) throw answer.outage();
  const { issuer: named, jwks_uri } = readObject(answer, host);
  if (named !== issuer) throw outage(host, 'calls itself by another name than JWT_ISSUER');
  const url = typeof jwks_uri === 'string' && URL.canParse(jwks_uri) ? new URL(jwks_uri) : null;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && protocol === 'http:')) return url.href;
  throw outage(host, 'names no usable address of its keys');
}

async function pick(set: LocalSet, header: JWSHeaderParameters): Promise<CryptoKey[]> {
  try {
    return [await set(header)];
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return [];
    const found: CryptoKey[] = [];
    for await (const key of error) if (found.push(key) === MAX_CANDIDATES) break;
    return found;
  }
}

/** Of a type that a taken algorithm needs; a published private key can be anybody's and counts for nothing. */
function isPublicKey(value: unknown): value is JWK {
  if (typeof value !== 'object' || value === null || 'd' in value || 'k' in value) return false;
  const { kty, crv } = value as JWK;
  return kty === 'RSA' || (kty === 'EC' && crv === 'P-256') || (kty === 'OKP' && crv === 'Ed25519');
}
