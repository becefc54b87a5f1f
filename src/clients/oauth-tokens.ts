/** Access tokens by OAuth 2.0 client credentials (RFC 6749, section 4.4), asked for through the egress guard. */
import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  clientCredentialsGrant,
  customFetch,
  ResponseBodyError,
} from 'openid-client';
import { Failure } from '../schema/failures.ts';
import type { OutboundConfig } from '../schema/outbound.ts';
import type { Egress, EgressRequest } from './egress.ts';

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 256 * 1024;

export interface ClientToken {
  token: string;
  /** Null when the server does not say. */
  expiresInSeconds: number | null;
}

/**
 * `config` is that of a credential of kind `oauth2_client_credentials`. The address was given by a caller, so it passes
 * the egress guard, which wants https unless the host is listed. Throws Failure: `credential_refused` when the server
 * refuses the client or its answer is no usable token, `fetch_failed` or `egress_denied` when it cannot be asked.
 */
export async function askClientToken(
  egress: Pick<Egress, 'fetch'>,
  config: OutboundConfig,
  secret: string,
): Promise<ClientToken> {
  const { token_url, client_id } = config;
  if (token_url === undefined || client_id === undefined) throw new Error('a client without an address or an id');
  const { host, origin } = new URL(token_url);
  const parameters = new URLSearchParams();
  if (config.scope !== undefined) parameters.set('scope', config.scope);
  if (config.audience !== undefined) parameters.set('audience', config.audience);
  try {
    const answer = await clientCredentialsGrant(
      configure(egress, { token_url, client_id, origin, secret }, config),
      parameters,
    );
    if (!/^[\x21-\x7e]+$/.test(answer.access_token)) throw new Error('a token that fits in no header');
    const { expires_in } = answer;
    return { token: answer.access_token, expiresInSeconds: typeof expires_in === 'number' ? expires_in : null };
  } catch (error) {
    throw explain(error, host);
  }
}

function configure(
  egress: Pick<Egress, 'fetch'>,
  client: { token_url: string; client_id: string; origin: string; secret: string },
  config: OutboundConfig,
): Configuration {
  const authenticate = config.auth_method === 'client_secret_post' ? ClientSecretPost : ClientSecretBasic;
  const made = new Configuration(
    { issuer: client.origin, token_endpoint: client.token_url },
    client.client_id,
    undefined,
    authenticate(client.secret),
  );
  made[customFetch] = (url, options) => guardedFetch(egress, url, options);
  // Which addresses may be called without TLS is the egress guard's to say.
  allowInsecureRequests(made);
  return made;
}

type FetchOptions = Parameters<NonNullable<Configuration[typeof customFetch]>>[1];

async function guardedFetch(egress: Pick<Egress, 'fetch'>, url: string, options: FetchOptions): Promise<Response> {
  const { body, method, headers, signal } = options;
  const answer = await egress.fetch(url, {
    method: method as NonNullable<EgressRequest['method']>,
    headers,
    ...(body === null || body === undefined ? {} : { body: String(body) }),
    ...(signal ? { signal } : {}),
    httpsOnly: true,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
  });
  return new Response(answer.status === 204 ? null : new Uint8Array(answer.body), {
    status: answer.status,
    headers: answer.headers,
  });
}

function explain(error: unknown, host: string): Failure {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof Failure) return at;
  const status = statusOf(error);
  if (status !== undefined && (status === 429 || status >= 500)) {
    return new Failure('fetch_failed', `The token server ${host} answered ${status}`, { cause: error });
  }
  // The server's own word only where it is one of the standard's.
  const word = error instanceof ResponseBodyError && /^[a-z_]{1,40}$/.test(error.error) ? ` (${error.error})` : '';
  return new Failure('credential_refused', `The token server ${host} gave no token${word}`, { cause: error });
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof ResponseBodyError) return error.status;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Response ? cause.status : undefined;
}
